/* Weights as they are stored: 32-bit floats, halves, or integers of 16 or 8 bits. */

enum { FLOATS, HALVES, SHORTS, BYTES };

typedef struct {
    const void *values;
    int kind;           /* type of the values */
    const float *scale; /* [groups * rows], factor of each row; NULL: 1 */
    const float *bias;  /* [groups * rows], added to each row; NULL: 0 */
    int rows, depth;    /* of each group */
} Weights;

static float from_half(uint16_t half)
{
    const uint32_t rest = half & 0x7fffu, normal = (rest << 13) + 0x38000000u;
    const uint32_t is_small = (uint32_t)-(int32_t)(rest < 0x400u); /* all bits or none: compilers vectorise no branch */
    const float small = (float)(int32_t)rest * 0x1p-24f;           /* exponent 0: a multiple of 2^-24 */
    uint32_t bits;
    float value;
    memcpy(&bits, &small, sizeof bits);
    bits = (bits & is_small) | (normal & ~is_small) | (uint32_t)(half & 0x8000u) << 16;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Return `count` values from index `first` on as floats; they lie in `out` unless they are stored as floats. */
static const float *expanded(const Weights *weights, size_t first, int count, float *out)
{
    int i;
    if (weights->kind == FLOATS)
        return (const float *)weights->values + first;
    if (weights->kind == HALVES) {
        const uint16_t *values = (const uint16_t *)weights->values + first;
        for (i = 0; i < count; i++)
            out[i] = from_half(values[i]);
    } else if (weights->kind == SHORTS) {
        const int16_t *values = (const int16_t *)weights->values + first;
        for (i = 0; i < count; i++)
            out[i] = (float)values[i];
    } else {
        const int8_t *values = (const int8_t *)weights->values + first;
        for (i = 0; i < count; i++)
            out[i] = (float)values[i];
    }
    return out;
}

/* Convolutions of few rows a group. The weights of each row are [taps]; no channels are mixed. */

typedef struct {
    const Weights *weights; /* [groups * rows][taps] */
    int groups, columns, relu;
    int stride, dilation, pad, length;
    int in_group, in_sample;
} Depthwise;

static void depthwise(const Depthwise *p, const float *in, float *out, float *work)
{
    const Weights *w = p->weights;
    const float least = p->relu ? 0.0f : -FLT_MAX;
    int row, tap, j;
    for (row = 0; row < p->groups * w->rows; row++, out += p->columns) {
        const float *taps = expanded(w, (size_t)row * (size_t)w->depth, w->depth, work);
        const float scale = w->scale ? w->scale[row] : 1.0f, bias = w->bias ? w->bias[row] : 0.0f;
        const float *from = in + row / w->rows * p->in_group;
        for (j = 0; j < p->columns; j++)
            out[j] = 0.0f;
        for (tap = 0; tap < w->depth; tap++) {
            const int at = tap * p->dilation - p->pad, step = p->stride * p->in_sample;
            const int before = at < 0 ? (-at + p->stride - 1) / p->stride : 0;
            const int within = at < p->length ? (p->length - at + p->stride - 1) / p->stride : 0;
            const int end = within < p->columns ? within : p->columns;
            const float *first = from + at * p->in_sample;
            if (step == 1)
                for (j = before; j < end; j++)
                    out[j] += taps[tap] * first[j];
            else
                for (j = before; j < end; j++)
                    out[j] += taps[tap] * first[j * step];
        }
        for (j = 0; j < p->columns; j++) {
            const float value = out[j] * scale + bias;
            out[j] = value > least ? value : least;
        }
    }
}

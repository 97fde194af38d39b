/* Convolutions and matrix products. A block of the input is copied so that each column of the product is one column of
   a matrix; tiles of 4 rows and WIDTH columns then stay in registers. */

enum { ROWS = 4, BLOCK = 80 };

typedef struct {
    const Weights *weights; /* tiles of [depth][ROWS]; depth = channels * taps */
    int groups, columns, relu;
    int taps, stride, dilation, pad;                   /* of a convolution; 1, 1, 1 and 0 for a product */
    int length;                                        /* of the input's axis of columns */
    int in_group, in_channel, in_sample;               /* steps from one to the next, in floats */
    int out_group, out_row, out_column;
} Product;

/* Copy the input of `columns` columns from `start` on: panels [depth][WIDTH], with zeros outside of the input. */
static void pack(const Product *p, const float *in, int start, int columns, float *packed)
{
    const int width = columns == 1 ? 1 : WIDTH, step = p->stride * p->in_sample;
    const int channels = p->weights->depth / p->taps;
    int first, channel, tap, j;
    for (first = start; first < start + columns; first += width)
        for (channel = 0; channel < channels; channel++)
            for (tap = 0; tap < p->taps; tap++, packed += width) {
                const int at = first * p->stride + tap * p->dilation - p->pad;
                const int last = at + (width - 1) * p->stride;
                const float *from = in + channel * p->in_channel;
                if (at >= 0 && last < p->length && step == 1)
                    memcpy(packed, from + at, (size_t)width * sizeof *packed);
                else
                    for (j = 0; j < width; j++) {
                        const int sample = at + j * p->stride;
                        const int inside = sample >= 0 && sample < p->length && first + j < start + columns;
                        packed[j] = inside ? from[sample * p->in_sample] : 0.0f;
                    }
            }
}

/* Sum the products of 4 rows with WIDTH columns, or with the first half of them. */
static void tile(const float *a, const float *b, int depth, int half, float sums[ROWS][WIDTH])
{
    Lanes s00 = {0}, s01 = {0}, s10 = {0}, s11 = {0}, s20 = {0}, s21 = {0}, s30 = {0}, s31 = {0};
    int k;
    if (half)
        for (k = 0; k < depth; k++, a += ROWS, b += WIDTH) {
            const Lanes b0 = load(b);
            s00 += a[0] * b0;
            s10 += a[1] * b0;
            s20 += a[2] * b0;
            s30 += a[3] * b0;
        }
    else
        for (k = 0; k < depth; k++, a += ROWS, b += WIDTH) {
            const Lanes b0 = load(b), b1 = load(b + LANES);
            s00 += a[0] * b0;
            s01 += a[0] * b1;
            s10 += a[1] * b0;
            s11 += a[1] * b1;
            s20 += a[2] * b0;
            s21 += a[2] * b1;
            s30 += a[3] * b0;
            s31 += a[3] * b1;
        }
    store(sums[0], s00), store(sums[0] + LANES, s01);
    store(sums[1], s10), store(sums[1] + LANES, s11);
    store(sums[2], s20), store(sums[2] + LANES, s21);
    store(sums[3], s30), store(sums[3] + LANES, s31);
}

/* Sum the products of 4 rows with one column. */
static void column(const float *a, const float *b, int depth, float sums[ROWS][WIDTH])
{
    float even[ROWS] = {0}, odd[ROWS] = {0};
    int k, i;
    for (k = 0; k + 1 < depth; k += 2, a += 2 * ROWS)
        for (i = 0; i < ROWS; i++) {
            even[i] += a[i] * b[k];
            odd[i] += a[ROWS + i] * b[k + 1];
        }
    for (i = 0; i < ROWS; i++)
        sums[i][0] = even[i] + odd[i] + (k < depth ? a[i] * b[k] : 0.0f);
}

/* Scale a row of sums, add the bias and write them. */
static void finish(const Product *p, const float *sums, int row, int columns, float *out)
{
    const Weights *w = p->weights;
    const float scale = w->scale ? w->scale[row] : 1.0f, bias = w->bias ? w->bias[row] : 0.0f;
    const float least = p->relu ? 0.0f : -FLT_MAX;
    int j;
    if (columns == WIDTH && p->out_column == 1)
        for (j = 0; j < WIDTH; j++) {
            const float value = sums[j] * scale + bias;
            out[j] = value > least ? value : least;
        }
    else
        for (j = 0; j < columns; j++) {
            const float value = sums[j] * scale + bias;
            out[j * p->out_column] = value > least ? value : least;
        }
}

/* Multiply the weights of a group by packed columns. */
static void multiply(const Product *p, int group, const float *packed, int columns, float *panel, float *out)
{
    const Weights *w = p->weights;
    const size_t tiles = (size_t)(w->rows + ROWS - 1) / ROWS;
    float sums[ROWS][WIDTH];
    int row, start, i;
    for (row = 0; row < w->rows; row += ROWS) {
        const size_t first = ((size_t)group * tiles + (size_t)row / ROWS) * ROWS * (size_t)w->depth;
        const float *a = expanded(w, first, ROWS * w->depth, panel);
        for (start = 0; start < columns; start += WIDTH) {
            const int left = columns - start, some = left < WIDTH ? left : WIDTH;
            if (columns == 1)
                column(a, packed, w->depth, sums);
            else
                tile(a, packed + start * w->depth, w->depth, left <= LANES, sums);
            for (i = 0; i < ROWS && row + i < w->rows; i++)
                finish(p, sums[i], group * w->rows + row + i, some, out + (row + i) * p->out_row + start * p->out_column);
        }
    }
}

/* Compute a convolution or product; `work` has depth * (ROWS + columns, at most BLOCK, rounded up to WIDTH) floats. */
static void product(const Product *p, const float *in, float *out, float *work)
{
    float *panel = work, *packed = work + ROWS * p->weights->depth;
    int group, start;
    for (group = 0; group < p->groups; group++)
        for (start = 0; start < p->columns; start += BLOCK) {
            const int left = p->columns - start, columns = left < BLOCK ? left : BLOCK;
            pack(p, in + group * p->in_group, start, columns, packed);
            multiply(p, group, packed, columns, panel, out + group * p->out_group + start * p->out_column);
        }
}

/* One direction of an LSTM; its gates come in the order input, output, forget, cell. */

typedef struct {
    const Product *input;     /* from the features to gates [steps][4 * hidden] */
    const Weights *recurrent; /* [hidden][4 * hidden]; scale is that of a gate */
    int reverse, steps, hidden, out_step;
} Lstm;

static float sigmoid(float x)
{
    return 1.0f / (1.0f + expf(-x));
}

/* Add the product of state [hidden] and matrix [hidden][width] to gates [width]. */
static void recur(const float *matrix, const float *state, int hidden, int width, float *gates)
{
    int j, k;
    for (j = 0; j + 4 * LANES <= width; j += 4 * LANES) {
        Lanes s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
        const float *m = matrix + j;
        for (k = 0; k < hidden; k++, m += width) {
            s0 += state[k] * load(m);
            s1 += state[k] * load(m + LANES);
            s2 += state[k] * load(m + 2 * LANES);
            s3 += state[k] * load(m + 3 * LANES);
        }
        store(gates + j, load(gates + j) + s0);
        store(gates + j + LANES, load(gates + j + LANES) + s1);
        store(gates + j + 2 * LANES, load(gates + j + 2 * LANES) + s2);
        store(gates + j + 3 * LANES, load(gates + j + 3 * LANES) + s3);
    }
    for (; j < width; j++)
        for (k = 0; k < hidden; k++)
            gates[j] += state[k] * matrix[k * width + j];
}

/* `work` has the floats of the product, then steps * 4 * hidden, hidden * 4 * hidden and 2 * hidden more. */
static void lstm(const Lstm *p, const float *in, float *out, float *work, float *gates)
{
    const int hidden = p->hidden, width = 4 * hidden;
    float *matrix = gates + p->steps * width, *state = matrix + hidden * width, *cell = state + hidden;
    const float *scale = p->recurrent->scale;
    const float *values = expanded(p->recurrent, 0, hidden * width, matrix);
    int step, j, k;
    if (scale) {
        for (k = 0; k < hidden; k++)
            for (j = 0; j < width; j++)
                matrix[k * width + j] = values[k * width + j] * scale[j];
        values = matrix;
    }
    product(p->input, in, gates, work);
    memset(state, 0, 2 * (size_t)hidden * sizeof *state);
    for (step = 0; step < p->steps; step++) {
        const int t = p->reverse ? p->steps - 1 - step : step;
        float *gate = gates + t * width;
        recur(values, state, hidden, width, gate);
        for (j = 0; j < hidden; j++) {
            cell[j] = sigmoid(gate[2 * hidden + j]) * cell[j] + sigmoid(gate[j]) * tanhf(gate[3 * hidden + j]);
            state[j] = sigmoid(gate[hidden + j]) * tanhf(cell[j]);
            out[t * p->out_step + j] = state[j];
        }
    }
}

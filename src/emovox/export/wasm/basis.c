/* Rows of the Fourier transform of 256 samples under a Hann window: 129 of cosines, then 129 of negative sines, in tiles
 * of 4 rows as product.c reads them. Their numbers would be 48 kB over the wire. */
static float basis[66560];

static void make_basis(void)
{
    double cosine[256] = {1.0, 0.99969881869620425};
    for (int n = 2; n < 256; n++)
        cosine[n] = 2.0 * cosine[1] * cosine[n - 1] - cosine[n - 2];
    for (int row = 0; row < 258; row++)
        for (int n = 0; n < 256; n++) {
            const int turn = row % 129 * n + (row < 129 ? 0 : 64);
            basis[(row / 4 * 256 + n) * 4 + row % 4] = (float)((0.5 - 0.5 * cosine[n]) * cosine[turn & 255]);
        }
}


/* Vectors of floats. GCC and Clang compile them for SSE, AVX, NEON and WebAssembly; other compilers take one float. */

#if defined(__GNUC__) && !defined(EMOVOX_PLAIN)
#ifdef __AVX__
#define LANES 8
#else
#define LANES 4
#endif
typedef float Lanes __attribute__((vector_size(4 * LANES)));
#else
#define LANES 1
typedef float Lanes;
#endif

enum { WIDTH = 2 * LANES };

static Lanes load(const float *from)
{
    Lanes lanes;
    memcpy(&lanes, from, sizeof lanes); /* of any alignment */
    return lanes;
}

static void store(float *to, Lanes lanes)
{
    memcpy(to, &lanes, sizeof lanes);
}

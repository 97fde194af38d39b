/* $model: emotion in speech. Written by emovox; do not edit.
 *
 * Licence of the weights: $licence
 *
 * Memory: no heap; one static block of $bytes bytes, which all functions use. So one thread calls them at a time.
 * The functions need nothing but the C library's maths (-lm). They are C99.
 */

#ifndef ${NAME}_H
#define ${NAME}_H

#ifdef __cplusplus
extern "C" {
#endif

enum {
    ${NAME}_RATE = $rate,          /* samples per second, one channel */
    ${NAME}_SAMPLES = $longest,    /* length of the longest window */
    ${NAME}_WINDOWS = $windows,    /* number of windows */
    ${NAME}_STATISTICS = $statistics,
    ${NAME}_LABELS = $labels
};

/* Name of each label, in the order of the scores. */
extern const char *const ${name}_labels[${NAME}_LABELS];

/* Mean and scale of the statistics of the training set: what ${name}_scores takes for an unknown speaker. */
extern const float ${name}_mean[${NAME}_STATISTICS];
extern const float ${name}_scale[${NAME}_STATISTICS];

/* Lengths of the windows in samples. */
extern const int ${name}_windows[${NAME}_WINDOWS];

/* Compute the statistics of n samples, which are in [-1, 1]; n is the length of a window. Return 0, or -1 for another n. */
int ${name}_statistics(const float *samples, int n, float statistics[${NAME}_STATISTICS]);
$speech_header
/* Compute the probability of each label from statistics, which mean and scale standardise. Those of a known speaker
 * adapt the model to that voice; the mean of the statistics of some windows of the speaker is a good start. */
void ${name}_scores(const float statistics[${NAME}_STATISTICS], const float mean[${NAME}_STATISTICS],
                    const float scale[${NAME}_STATISTICS], float scores[${NAME}_LABELS]);

#ifdef __cplusplus
}
#endif

#endif

/* What the page calls; web/packages/emovox/src/wasm/module.ts has the other side. */

#define EXPORT(name) __attribute__((export_name(#name)))

static float samples[$longest], statistics[$statistics], scores[$labels], mean[$statistics], scale[$statistics];
static float frames[$frames], told[1];
static float chunk[$chunk], state[$state], answer[1 + $state];

EXPORT(emovox_samples) float *emovox_samples(void) { return samples; }
EXPORT(emovox_statistics) float *emovox_statistics(void) { return statistics; }
EXPORT(emovox_scores) float *emovox_scores(void) { return scores; }
EXPORT(emovox_mean) float *emovox_mean(void) { return mean; }
EXPORT(emovox_scale) float *emovox_scale(void) { return scale; }
EXPORT(emovox_speech) float *emovox_speech(void) { return told; }
EXPORT(speech_chunk) float *speech_chunk(void) { return chunk; }
EXPORT(speech_state) float *speech_state(void) { return state; }

/* Take the mean and scale of the training set, and compute the constants that are not stored. */
EXPORT(emovox_start) void emovox_start(void)
{
    memcpy(mean, default_mean, sizeof mean);
    memcpy(scale, default_scale, sizeof scale);
    make_basis();
}

EXPORT(emovox_score) void emovox_score(void)
{
    score(statistics, mean, scale, scores);
}

/* Compute statistics and scores of the first samples, and the probability of speech; return 0 for a length between two of those that are taken. */
EXPORT(emovox_run) int emovox_run(int length)
{
    const int step = (length - $shortest) / $grid;
    if (length < $shortest || length > $longest || (length - $shortest) % $grid)
        return 0;
    switch (step % $classes) {
$cases
    }
    $tell
    emovox_score();
    return 1;
}

/* Return the probability of speech in a chunk, and carry the state on. */
EXPORT(speech_probability) float speech_probability(void)
{
    speech(chunk, state, answer);
    memcpy(state, answer + 1, sizeof state);
    return answer[0];
}

/* Print the emotion of each window of a recording:  ./emotion call.wav
 *
 * The recording is a wav file of 16-bit samples at the rate of the model; several channels are averaged. `make` writes
 * model.c and model.h. One line a window: start and end in seconds, the label, and the score of each label. A window of
 * another sound than speech has `not_speech` in place of the label, and the probability of speech.
 */

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "model.h"

static float samples[MODEL_SAMPLES], statistics[MODEL_STATISTICS], scores[MODEL_LABELS];

static unsigned read_number(const unsigned char *bytes, int size)
{
    unsigned number = 0;
    while (size-- > 0)
        number = number << 8 | bytes[size];
    return number;
}

/* Read up to the first sample. Return the number of channels, or 0 with a message. */
static unsigned read_header(FILE *file, unsigned long *left)
{
    unsigned char riff[12], chunk[8], format[16];
    unsigned channels = 0;
    if (fread(riff, 1, sizeof riff, file) < sizeof riff || memcmp(riff, "RIFF", 4) || memcmp(riff + 8, "WAVE", 4)) {
        fputs("this is no wav file\n", stderr);
        return 0;
    }
    while (fread(chunk, 1, sizeof chunk, file) == sizeof chunk) {
        unsigned size = read_number(chunk + 4, 4);
        if (!memcmp(chunk, "data", 4)) {
            *left = size;
            if (!channels)
                fputs("the wav file has no format before its samples\n", stderr);
            return channels;
        }
        if (!memcmp(chunk, "fmt ", 4) && size >= sizeof format) {
            if (fread(format, 1, sizeof format, file) < sizeof format)
                break;
            if (read_number(format, 2) != 1 || read_number(format + 14, 2) != 16 ||
                read_number(format + 4, 4) != MODEL_RATE || !(channels = read_number(format + 2, 2))) {
                fprintf(stderr, "expected 16-bit samples at %d Hz\n", MODEL_RATE);
                return 0;
            }
            size -= sizeof format;
        }
        if (fseek(file, (long)size + (size & 1), SEEK_CUR))
            break;
    }
    fputs("the wav file has no samples\n", stderr);
    return 0;
}

/* Read one window, shorter at the end of the file. Return its number of samples. */
static int read_window(FILE *file, unsigned channels, unsigned long *left)
{
    int n;
    for (n = 0; n < MODEL_SAMPLES && *left >= 2 * channels; n++) {
        unsigned channel;
        float sum = 0.0f;
        for (channel = 0; channel < channels; channel++) {
            unsigned char bytes[2];
            if (fread(bytes, 1, sizeof bytes, file) < sizeof bytes)
                return n;
            sum += (float)(int16_t)read_number(bytes, 2) / 32768.0f;
        }
        samples[n] = sum / (float)channels;
        *left -= 2 * channels;
    }
    return n;
}

/* Return the length of the longest window of the model that n samples fill, or 0. */
static int longest_window(int n)
{
    int i, longest = 0;
    for (i = 0; i < MODEL_WINDOWS; i++)
        if (model_windows[i] <= n && model_windows[i] > longest)
            longest = model_windows[i];
    return longest;
}

/* Compute the statistics of n samples. Return 0 if they are no window of the model. `speech` becomes 1 for a model
 * that does not tell speech from other sounds. */
static int hear(int n, float *speech)
{
#ifdef MODEL_SPEECH_THRESHOLD
    return !model_hear(samples, n, statistics, speech);
#else
    *speech = 1.0f;
    return !model_statistics(samples, n, statistics);
#endif
}

static int is_speech(float speech)
{
#ifdef MODEL_SPEECH_THRESHOLD
    return speech >= MODEL_SPEECH_THRESHOLD;
#else
    return speech > 0.0f;
#endif
}

/* Print the label and the score of each label. */
static void print_scores(void)
{
    int label, best = 0;
    model_scores(statistics, model_mean, model_scale, scores);
    for (label = 1; label < MODEL_LABELS; label++)
        if (scores[label] > scores[best])
            best = label;
    printf("%s", model_labels[best]);
    for (label = 0; label < MODEL_LABELS; label++)
        printf(" %s=%.6f", model_labels[label], (double)scores[label]);
}

int main(int argc, char **argv)
{
    unsigned long left = 0, at = 0;
    unsigned channels;
    int n;
    FILE *file = argc == 2 ? fopen(argv[1], "rb") : NULL;
    if (!file) {
        fprintf(stderr, argc == 2 ? "%s: cannot be read\n" : "usage: %s RECORDING.wav\n", argv[argc == 2]);
        return 1;
    }
    channels = read_header(file, &left);
    while (channels && (n = longest_window(read_window(file, channels, &left))) > 0) {
        float speech;
        if (!hear(n, &speech))
            return 1;
        printf("%.2f %.2f ", (double)at / MODEL_RATE, (double)(at + (unsigned long)n) / MODEL_RATE);
        if (is_speech(speech))
            print_scores();
        else
            printf("not_speech speech=%.6f", (double)speech);
        putchar('\n');
        at += (unsigned long)n;
    }
    fclose(file);
    return channels ? 0 : 1;
}

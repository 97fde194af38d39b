
/* Probability of speech below which a window holds another sound, whose scores say nothing. */
#define ${NAME}_SPEECH_THRESHOLD ${threshold}

/* As ${name}_statistics, and compute the probability that the samples are speech, from 0 to 1. */
int ${name}_hear(const float *samples, int n, float statistics[${NAME}_STATISTICS], float *speech);

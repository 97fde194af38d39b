const char *const ${name}_labels[$labels] = {$label_names};

const int ${name}_windows[$windows] = {$lengths};

int ${name}_$entry(const float *samples, int n, float statistics[$statistics]$told)
{
    switch (n) {
$cases
    default:
        return -1;
    }
    return 0;
}
$speech_code
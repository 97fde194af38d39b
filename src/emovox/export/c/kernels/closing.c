const char *const ${name}_labels[$labels] = {$label_names};

const int ${name}_windows[$windows] = {$lengths};

int ${name}_statistics(const float *samples, int n, float statistics[$statistics])
{
    switch (n) {
$cases
    default:
        return -1;
    }
    return 0;
}

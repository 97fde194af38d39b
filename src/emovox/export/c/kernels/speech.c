
int ${name}_statistics(const float *samples, int n, float statistics[$statistics])
{
    float speech;
    return ${name}_hear(samples, n, statistics, &speech);
}

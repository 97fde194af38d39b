static float smaller(float a, float b)
{
    return a < b ? a : b;
}

/* Return an index of an axis; a negative one counts from the end. */
static int place(float index, int length)
{
    return index < 0.0f ? (int)index + length : (int)index;
}

/* Where an image begins: a firmware has its own. */
void _start(void);

void _start(void)
{
    for (;;) {
    }
}

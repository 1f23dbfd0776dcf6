/*
 * main.c - the firn program.
 */
#include <stdio.h>

int main(void)
{
    puts("firn " FIRN_VERSION);
    return 0;
}

/* Durations and sizes as people write them: a decimal number, blanks, a unit. */
#include "base/time.h"

#include <ctype.h>

typedef struct unit {
    const char *name;
    int64_t factor;
} unit;

static const unit BYTE_UNITS[] = {{"", 1},
                                  {"b", 1},
                                  {"kb", 1000},
                                  {"mb", 1000000},
                                  {"gb", 1000000000},
                                  {"tb", 1000000000000},
                                  {"kib", 1 << 10},
                                  {"mib", 1 << 20},
                                  {"gib", 1 << 30},
                                  {"tib", INT64_C(1) << 40},
                                  {NULL, 0}};
static const unit TIME_UNITS[] = {{"ms", 1},      {"s", 1000},     {"m", 60000}, {"min", 60000},
                                  {"h", 3600000}, {"d", 86400000}, {NULL, 0}};

/* False for junk, negatives and overflow. Nothing is nothing in every unit. */
static bool parse(const char *text, const unit *units, int64_t *out)
{
    char digits[32];
    size_t n = strspn(text, "0123456789.");
    double number = 0;
    if (n == 0 || n >= sizeof(digits)) {
        return false;
    }
    memcpy(digits, text, n);
    digits[n] = '\0';
    if (!firn_parse_f64(digits, &number)) {
        return false;
    }
    const char *suffix = text + n;
    while (isspace((unsigned char)*suffix)) {
        suffix++;
    }
    if (number == 0 && *suffix == '\0') {
        *out = 0;
        return true;
    }
    for (; units->name != NULL; units++) {
        if (firn_strcaseeq(units->name, suffix)) {
            double value = number * (double)units->factor;
            if (value >= 9.2e18) {
                return false;
            }
            *out = (int64_t)value;
            return true;
        }
    }
    return false;
}

bool firn_parse_duration(const char *text, int64_t *out_ms)
{
    return parse(text, TIME_UNITS, out_ms);
}

bool firn_parse_size(const char *text, int64_t *out_bytes)
{
    return parse(text, BYTE_UNITS, out_bytes);
}

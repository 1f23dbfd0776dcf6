/* The rules of "quality" in a feed's file, read: what quality.c judges by. */
#ifndef EXPORT_QUALITY_RULES_H
#define EXPORT_QUALITY_RULES_H

#include "base/json.h"

typedef struct firn_quality_rules {
    int64_t rows_min, rows_max; /* -1: not given */
    double rows_deviation;
    const json_t *nulls_max; /* column to share; nullable */
    double nulls_deviation;
    int64_t stale_after_ms; /* 0: not given */
    int64_t history;
    bool fails; /* on_alert: fail */
} firn_quality_rules;

/* `quality` NULL: the defaults. Errors: firn_quality_check_rules. */
firn_rc firn_quality_rules_read(const json_t *quality, const char *filename,
                                firn_quality_rules *out, firn_err *err) FIRN_MUST_USE;

#endif

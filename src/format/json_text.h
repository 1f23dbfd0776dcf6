/* Scalars that JSON can only write as text: dates, times, instants, bytes, uuids. Private to json_*.c. Each takes the whole text or
 * gives false.
 */
#ifndef FIRN_FORMAT_JSON_TEXT_H
#define FIRN_FORMAT_JSON_TEXT_H

#include "base/str.h"

bool firn_text_date(firn_bytes text, int32_t *out_days);
/* hh:mm[:ss[.fraction]] in units of 1/per_second; digits beyond the unit are cut off. Behind it may stand an offset of nothing ("Z"). */
bool firn_text_time(firn_bytes text, int64_t per_second, int64_t *out);
/* A date, or a date, 'T' or blank, and a time, with or without an offset ("Z", "+02:00", "+0200", "+02"), which is applied. */
bool firn_text_timestamp(firn_bytes text, int64_t per_second, int64_t *out, bool *has_zone);

/* Base64, both alphabets, padded or not. `out` has room for text.len / 4 * 3 + 2 bytes, and may be where the text is. */
bool firn_text_base64(firn_bytes text, uint8_t *out, size_t *out_len);
/* xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx as 16 bytes. */
bool firn_text_uuid(firn_bytes text, uint8_t *out);

#endif

/* The events of the ingestion benchmarks: the same from the same seed and number, as JSON and as Avro.
 *
 *   small   {id, category, value, ts}, always 142 bytes of JSON
 *   wide    30 columns of every day: texts, whole numbers, reals, flags, an amount, three times, some of them null; about 730 bytes
 */
#ifndef BENCH_EVENTS_H
#define BENCH_EVENTS_H

#include "base/time.h"
#include "format/avro_codec.h"

#include <stdio.h>

typedef enum event_kind { EVENT_SMALL, EVENT_WIDE } event_kind;

enum { EVENT_SMALL_BYTES = 142 };

static const char *const event_schemas[] = {
    "{\"type\":\"record\",\"name\":\"small_event\",\"fields\":["
    "{\"name\":\"id\",\"type\":\"string\"},{\"name\":\"category\",\"type\":\"string\"},"
    "{\"name\":\"value\",\"type\":\"double\"},"
    "{\"name\":\"ts\",\"type\":{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}}]}",

#define EVENT_OPT(type) "[\"null\",\"" type "\"],\"default\":null}"
#define EVENT_TS        "{\"type\":\"long\",\"logicalType\":\"timestamp-micros\"}"
    "{\"type\":\"record\",\"name\":\"wide_event\",\"fields\":["
    "{\"name\":\"event_id\",\"type\":\"string\"},{\"name\":\"event_type\",\"type\":\"string\"},"
    "{\"name\":\"event_time\",\"type\":" EVENT_TS "},"
    "{\"name\":\"received_at\",\"type\":" EVENT_TS "},"
    "{\"name\":\"user_id\",\"type\":\"long\"},{\"name\":\"session_id\",\"type\":\"string\"},"
    "{\"name\":\"device\",\"type\":\"string\"},{\"name\":\"os\",\"type\":\"string\"},"
    "{\"name\":\"app_version\",\"type\":\"string\"},{\"name\":\"country\",\"type\":\"string\"},"
    "{\"name\":\"city\",\"type\":" EVENT_OPT(
        "string") ",{\"name\":\"language\",\"type\":\"string\"},"
                  "{\"name\":\"page\",\"type\":\"string\"},{\"name\":\"referrer\",\"type\":" EVENT_OPT(
                      "string") ","
                                "{\"name\":\"campaign\",\"type\":" EVENT_OPT("string") ",{\"name\":\"order_id\",\"type\":" EVENT_OPT(
                                    "long") ","
                                            "{\"name\":\"product_id\",\"type\":\"long\"},{\"name\":\"quantity\",\"type\":\"int\"},"
                                            "{\"name\":\"unit_price\",\"type\":\"double\"},{\"name\":\"discount\",\"type\":\"double\"},"
                                            "{\"name\":\"total\",\"type\":\"double\"},{\"name\":\"currency\",\"type\":\"string\"},"
                                            "{\"name\":\"paid\",\"type\":\"boolean\"},{\"name\":\"returning\",\"type\":\"boolean\"},"
                                            "{\"name\":\"latency_ms\",\"type\":\"int\"},{\"name\":\"bytes_sent\",\"type\":\"long\"},"
                                            "{\"name\":\"status\",\"type\":\"int\"},{\"name\":\"score\",\"type\":\"double\"},"
                                            "{\"name\":\"experiment\",\"type\":" EVENT_OPT(
                                                "string") ",{\"name\":\"note\",\"type\":" EVENT_OPT("string") "]}",
#undef EVENT_OPT
#undef EVENT_TS
};

/* The tables for them, in SQL. */
static const char *const event_columns[] = {
    "id varchar, category varchar, value double, ts timestamptz",
    "event_id varchar, event_type varchar, event_time timestamptz, received_at timestamptz,"
    " user_id bigint, session_id varchar, device varchar, os varchar, app_version varchar,"
    " country varchar, city varchar, language varchar, page varchar, referrer varchar,"
    " campaign varchar, order_id bigint, product_id bigint, quantity integer, unit_price double,"
    " discount double, total double, currency varchar, paid boolean, returning boolean,"
    " latency_ms integer, bytes_sent bigint, status integer, score double, experiment varchar,"
    " note varchar",
};

/* splitmix64: a number's own random bits. */
static inline uint64_t event_bits(uint64_t seed, uint64_t i)
{
    uint64_t z = seed + i * 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

typedef struct event {
    uint64_t a, b; /* random */
    int64_t ts_us;
} event;

static inline event event_of(uint64_t seed, uint64_t i, int64_t ts_us)
{
    return (event){.a = event_bits(seed, 2 * i), .b = event_bits(seed, 2 * i + 1), .ts_us = ts_us};
}

static const char *const event_categories[] = {
    "electronics/audio/headphones-01", "electronics/phones/chargers-014",
    "garden/furniture/chairs-2-seats", "kitchen/appliances/blenders-b12",
    "books/science-fiction/classics1", "sports/running/shoes-trail-w-40",
    "toys/puzzles/wooden-animals-3-6", "clothing/women/jackets-winter-s",
};

#define EVENT_PICK(list, bits) ((list)[(bits) % (sizeof(list) / sizeof *(list))])

static inline void event_uuid(const event *e, char *out /* 37 */)
{
    snprintf(out, 37, "%08x-%04x-4%03x-%04x-%012llx", (unsigned)(e->a >> 32),
             (unsigned)(e->a >> 16 & 0xFFFF), (unsigned)(e->a & 0xFFF),
             (unsigned)(0x8000 | (e->b >> 48 & 0x3FFF)),
             (unsigned long long)(e->b & 0xFFFFFFFFFFFF));
}

static inline double event_value(const event *e)
{
    return (double)(1000000000 + e->b % 9000000000) / 1e6; /* 1000.000000 to 9999.999999 */
}

static inline void event_time_text(int64_t us, char *out /* 25 */)
{
    firn_civil t;
    firn_civil_from_us(us, &t);
    snprintf(out, 25, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", (unsigned)t.year % 10000,
             (unsigned)t.month % 100, (unsigned)t.day % 100, (unsigned)t.hour % 100,
             (unsigned)t.minute % 100, (unsigned)t.second % 100,
             (unsigned)(t.nanosecond / 1000000) % 1000);
}

static const char *const event_types[] = {"page_view", "add_to_cart", "checkout", "purchase",
                                          "search"};
static const char *const event_devices[] = {"mobile", "desktop", "tablet"};
static const char *const event_systems[] = {"Android 16", "iOS 19.1", "Windows 11", "Linux"};
static const char *const event_countries[] = {"FR", "DE", "ES", "IT", "NL", "BE"};
static const char *const event_cities[] = {"Paris", "Köln", "Málaga", "Milano", "Utrecht", "Gent"};
static const char *const event_pages[] = {"/", "/search?q=shoes+trail", "/product/18473/details",
                                          "/cart", "/checkout/payment"};

typedef struct wide_event {
    char id[37], session[24], time[25], received[25];
    int64_t user, order, product, bytes;
    int quantity, latency, status;
    double price, discount, total, score;
    bool paid, returning;
    const char *type, *device, *os, *country, *city, *page, *referrer, *campaign, *experiment,
        *note;
} wide_event;

static inline void wide_of(const event *e, wide_event *w)
{
    event_uuid(e, w->id);
    snprintf(w->session, sizeof w->session, "s-%016llx", (unsigned long long)(e->a ^ e->b >> 7));
    event_time_text(e->ts_us, w->time);
    event_time_text(e->ts_us + 35000, w->received);
    w->user = (int64_t)(e->a % 5000000);
    w->order = e->a % 3 == 0 ? (int64_t)(e->b % 100000000000) : -1;
    w->product = (int64_t)(e->b % 200000);
    w->bytes = (int64_t)(e->a >> 20 & 0xFFFFF);
    w->quantity = (int)(e->b % 9) + 1;
    w->latency = (int)(e->a >> 8 & 0x3FF);
    w->status = e->b % 50 == 0 ? 404 : 200;
    w->price = (double)(e->b % 99999 + 1) / 100;
    w->discount = (double)(e->a % 30) / 100;
    w->total = w->price * w->quantity * (1 - w->discount); /* 15 to 17 digits: reals as they come */
    w->score = (double)(e->a >> 11) * 0x1p-53;
    w->paid = e->a & 1;
    w->returning = e->b & 1;
    w->type = EVENT_PICK(event_types, e->a >> 3);
    w->device = EVENT_PICK(event_devices, e->a >> 5);
    w->os = EVENT_PICK(event_systems, e->b >> 5);
    w->country = EVENT_PICK(event_countries, e->b >> 9);
    w->city = e->a % 5 ? EVENT_PICK(event_cities, e->b >> 9) : NULL;
    w->page = EVENT_PICK(event_pages, e->a >> 13);
    w->referrer = e->a % 4 == 0 ? "https://www.example.com/news/2026/11/winter-sale" : NULL;
    w->campaign = e->b % 4 == 0 ? "winter-2026" : NULL;
    w->experiment = e->b % 8 == 0 ? "checkout-b" : NULL;
    w->note = e->a % 16 == 0 ? "said \"call me\" at the door" : NULL;
}

static inline void event_text_or_null(firn_buf *buf, const char *name, const char *text)
{
    firn_buf_printf(buf, ",\"%s\":", name);
    if (!text) {
        firn_buf_puts(buf, "null");
        return;
    }
    firn_buf_putc(buf, '"');
    for (; *text; text++) {
        if (*text == '"')
            firn_buf_putc(buf, '\\');
        firn_buf_putc(buf, (uint8_t)*text);
    }
    firn_buf_putc(buf, '"');
}

static inline void wide_json(firn_buf *buf, const event *e)
{
    wide_event w;
    wide_of(e, &w);
    firn_buf_printf(buf, "{\"event_id\":\"%s\",\"event_type\":\"%s\",\"event_time\":\"%s\",", w.id,
                    w.type, w.time);
    firn_buf_printf(buf, "\"received_at\":\"%s\",\"user_id\":%lld,\"session_id\":\"%s\",",
                    w.received, (long long)w.user, w.session);
    firn_buf_printf(buf,
                    "\"device\":\"%s\",\"os\":\"%s\",\"app_version\":\"7.14.2\","
                    "\"country\":\"%s\"",
                    w.device, w.os, w.country);
    event_text_or_null(buf, "city", w.city);
    firn_buf_printf(buf, ",\"language\":\"en-GB\",\"page\":\"%s\"", w.page);
    event_text_or_null(buf, "referrer", w.referrer);
    event_text_or_null(buf, "campaign", w.campaign);
    if (w.order >= 0)
        firn_buf_printf(buf, ",\"order_id\":%lld", (long long)w.order);
    else
        firn_buf_puts(buf, ",\"order_id\":null");
    firn_buf_printf(buf, ",\"product_id\":%lld,\"quantity\":%d,\"unit_price\":%.2f",
                    (long long)w.product, w.quantity, w.price);
    firn_buf_printf(buf, ",\"discount\":%.2f,\"total\":%.17g,\"currency\":\"EUR\"", w.discount,
                    w.total);
    firn_buf_printf(buf, ",\"paid\":%s,\"returning\":%s,\"latency_ms\":%d,\"bytes_sent\":%lld",
                    w.paid ? "true" : "false", w.returning ? "true" : "false", w.latency,
                    (long long)w.bytes);
    firn_buf_printf(buf, ",\"status\":%d,\"score\":%.17g", w.status, w.score);
    event_text_or_null(buf, "experiment", w.experiment);
    event_text_or_null(buf, "note", w.note);
    firn_buf_putc(buf, '}');
}

static inline void event_json(firn_buf *buf, event_kind kind, const event *e)
{
    if (kind == EVENT_WIDE) {
        wide_json(buf, e);
        return;
    }
    char id[37], time[25];
    event_uuid(e, id);
    event_time_text(e->ts_us, time);
    firn_buf_printf(buf, "{\"id\":\"%s\",\"category\":\"%s\",\"value\":%.6f,\"ts\":\"%s\"}", id,
                    EVENT_PICK(event_categories, e->a), event_value(e), time);
}

static inline void event_avro_text_or_null(firn_buf *buf, const char *text)
{
    firn_avro_put_long(buf, text != NULL);
    if (text)
        firn_avro_put_string(buf, text);
}

static inline void wide_avro(firn_buf *buf, const event *e)
{
    wide_event w;
    wide_of(e, &w);
    firn_avro_put_string(buf, w.id);
    firn_avro_put_string(buf, w.type);
    firn_avro_put_long(buf, e->ts_us);
    firn_avro_put_long(buf, e->ts_us + 35000);
    firn_avro_put_long(buf, w.user);
    firn_avro_put_string(buf, w.session);
    firn_avro_put_string(buf, w.device);
    firn_avro_put_string(buf, w.os);
    firn_avro_put_string(buf, "7.14.2");
    firn_avro_put_string(buf, w.country);
    event_avro_text_or_null(buf, w.city);
    firn_avro_put_string(buf, "en-GB");
    firn_avro_put_string(buf, w.page);
    event_avro_text_or_null(buf, w.referrer);
    event_avro_text_or_null(buf, w.campaign);
    firn_avro_put_long(buf, w.order >= 0);
    if (w.order >= 0)
        firn_avro_put_long(buf, w.order);
    firn_avro_put_long(buf, w.product);
    firn_avro_put_long(buf, w.quantity);
    firn_avro_put_double(buf, w.price);
    firn_avro_put_double(buf, w.discount);
    firn_avro_put_double(buf, w.total);
    firn_avro_put_string(buf, "EUR");
    firn_avro_put_boolean(buf, w.paid);
    firn_avro_put_boolean(buf, w.returning);
    firn_avro_put_long(buf, w.latency);
    firn_avro_put_long(buf, w.bytes);
    firn_avro_put_long(buf, w.status);
    firn_avro_put_double(buf, w.score);
    event_avro_text_or_null(buf, w.experiment);
    event_avro_text_or_null(buf, w.note);
}

static inline void event_avro(firn_buf *buf, event_kind kind, const event *e)
{
    if (kind == EVENT_WIDE) {
        wide_avro(buf, e);
        return;
    }
    char id[37];
    event_uuid(e, id);
    firn_avro_put_string(buf, id);
    firn_avro_put_string(buf, EVENT_PICK(event_categories, e->a));
    firn_avro_put_double(buf, event_value(e));
    firn_avro_put_long(buf, e->ts_us);
}

#endif

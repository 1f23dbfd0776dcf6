/* The rows of the ksqlDB benchmarks: the values of a row behind its id, the same from the same number.
 *
 *   WIDE   23 columns, about 500 bytes: the record of the data lake's own table of times ("10,000 records, 5 MB")
 *   SMALL   7 columns, about 90 bytes
 *   STATE  15 columns, about 500 bytes; it has no id in front
 */
#ifndef BENCH_KSQLDB_ROWS_H
#define BENCH_KSQLDB_ROWS_H

#include "base/buf.h"

enum { BLOCK_ROWS = 100000 }; /* rows whose times are one day's: */
#define FIRST_DAY "2025-01-15"

typedef enum kind { WIDE, SMALL, STATE, KINDS } kind;

static const char *const SCHEMAS[] = {
    "`TRANSACTION_ID` BIGINT, `USER_ID` STRING, `SESSION_ID` STRING, `CUSTOMER_NAME` STRING, `EMAIL` "
    "STRING, `ADDRESS` STRING, `CITY` STRING, `COUNTRY` STRING, `PRODUCT_ID` STRING, `PRODUCT_NAME` "
    "STRING, `CATEGORY` STRING, `QUANTITY` INTEGER, `PRICE` DECIMAL(10, 2), `AMOUNT` DECIMAL(12, 2), "
    "`CURRENCY` STRING, `PAYMENT_METHOD` STRING, `STATUS` STRING, `IP` STRING, `USER_AGENT` STRING, "
    "`SCORE` DOUBLE, `IS_GIFT` BOOLEAN, `EVENT_TIME` TIMESTAMP, `NOTE` STRING",
    "`ID` BIGINT, `USER_ID` STRING, `AMOUNT` DECIMAL(10, 2), `TS` TIMESTAMP, `METHOD` STRING, `QUANTITY` "
    "INTEGER, `POINTS` BIGINT",
    "`USER_ID` STRING KEY, `NAME` STRING, `EMAIL` STRING, `ADDRESS` STRING, `CITY` STRING, `COUNTRY` "
    "STRING, `TRANSACTION_COUNT` BIGINT, `TOTAL_AMOUNT` DECIMAL(18, 2), `AVERAGE` DOUBLE, `SEGMENT` "
    "STRING, `NOTES` STRING, `LAST_SEEN` TIMESTAMP, `LAST_AGENT` STRING, `FAVOURITE` STRING, `METHOD` STRING",
};

static inline uint64_t random_of(uint64_t i, uint64_t salt)
{
    uint64_t z = i * 0x9E3779B97F4A7C15u + salt * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

static inline const char *pick(const char *const *words, size_t n, uint64_t i, uint64_t salt)
{
    return words[random_of(i, salt) % n];
}
#define PICK(words, i, salt) pick(words, sizeof(words) / sizeof *(words), i, salt)

static const char *const FIRST[] = {"Léa",  "Hugo",  "Chloé", "Jules",
                                    "Inès", "Karim", "Sofia", "Nora"};
static const char *const LAST[] = {"Martin", "Bernard", "Dubois", "Lefèvre", "Garcia", "Rossi"};
static const char *const CITIES[] = {"Paris", "Lyon", "Bruxelles", "Genève", "Berlin", "Madrid"};
static const char *const COUNTRIES[] = {"FR", "BE", "CH", "DE", "ES", "CA"};
static const char *const GOODS[] = {"Laptop", "Phone", "Headphones", "Keyboard", "Coffee machine"};
static const char *const CATEGORIES[] = {"electronics", "home", "office"};
static const char *const METHODS[] = {"card", "paypal", "bank_transfer", "apple_pay"};
static const char *const STATUSES[] = {"completed", "pending", "refunded"};
static const char *const AGENTS[] = {
    "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/120.0 Safari/537.36"};
static const char *const STREETS[] = {"rue de la République", "avenue Foch", "quai de Saône",
                                      "boulevard Voltaire", "place Bellecour"};

static const char *const NOTES[] = {
    "Leave the parcel with the neighbour on the second floor, door code is on the label",
    "Customer asked for an invoice in the name of the company, sent by electronic mail",
    "Delivered to a collection point, identity was checked on collection, nothing to add", "None"};
static const char *const SEGMENTS[] = {
    "loyal customer, buys every month, answers offers, prefers delivery to a collection point",
    "occasional customer, buys before the holidays, seldom answers offers, sends back little",
    "new customer, first purchase within the last ninety days, no segment could be computed yet"};

static inline void put_time(firn_buf *out, uint64_t i)
{
    uint64_t r = random_of(i, 90);
    firn_buf_printf(out, "\"" FIRST_DAY "T%02d:%02d:%02d.%03d\"", (int)(i * 24 / BLOCK_ROWS % 24),
                    (int)(r % 60), (int)(r / 60 % 60), (int)(r / 3600 % 1000));
}

static inline void put_wide(firn_buf *out, uint64_t i)
{
    uint64_t user = random_of(i, 1) % 5000, product = random_of(i, 4) % 500;
    int price = (int)(random_of(product, 2) % 90000) + 499,
        quantity = (int)(random_of(i, 3) % 4) + 1;
    firn_buf_printf(
        out,
        ",\"user_%05d\",\"session-%08x\",\"%s %s\",\"user%d@example.com\",\"%d %s, %05d %s\",\"%s\","
        "\"%s\",\"PROD-%05d\",\"%s, model %d of the series\",\"%s\",%d,%d.%02d,%d.%02d,\"EUR\","
        "\"%s\",\"%s\",\"%d.%d.%d.%d\",\"%s\",%.2f,%s,",
        (int)user, (uint32_t)random_of(i / 7, 5), PICK(FIRST, user, 7), PICK(LAST, user, 8),
        (int)user, (int)(random_of(user, 9) % 200) + 1, PICK(STREETS, user, 10),
        (int)(random_of(user, 23) % 90000), PICK(CITIES, user, 11), PICK(CITIES, user, 11),
        PICK(COUNTRIES, user, 11), (int)product, PICK(GOODS, product, 12), (int)product,
        PICK(CATEGORIES, product, 13), quantity, price / 100, price % 100, price * quantity / 100,
        price * quantity % 100, PICK(METHODS, i, 14), PICK(STATUSES, i, 15),
        (int)(random_of(user, 16) % 256), (int)(random_of(user, 17) % 256),
        (int)(random_of(user, 18) % 256), (int)(random_of(user, 19) % 256), PICK(AGENTS, user, 20),
        (double)(random_of(i, 21) % 100) / 100, random_of(i, 22) % 10 ? "false" : "true");
    put_time(out, i);
    firn_buf_printf(out, ",\"%s\"", PICK(NOTES, i, 24));
}

static inline void put_small(firn_buf *out, uint64_t i)
{
    int amount = (int)(random_of(i, 2) % 90000) + 499;
    firn_buf_printf(out, ",\"user_%d\",%d.%02d,", (int)(random_of(i, 1) % 50000), amount / 100,
                    amount % 100);
    put_time(out, i);
    firn_buf_printf(out, ",\"%s\",%d,%d", PICK(METHODS, i, 14), (int)(random_of(i, 3) % 4),
                    (int)(random_of(i, 4) % 5000));
}

static inline void put_state(firn_buf *out, uint64_t i)
{
    int total = (int)(random_of(i, 2) % 900000) + 499, count = (int)(random_of(i, 3) % 90) + 1;
    firn_buf_printf(
        out,
        "\"user_%06d\",\"%s %s\",\"user%d@example.com\",\"%d %s\",\"%s\",\"%s\",%d,%d.%02d,"
        "%.2f,\"%s\",\"%s\",",
        (int)i, PICK(FIRST, i, 7), PICK(LAST, i, 8), (int)i, (int)(random_of(i, 9) % 200) + 1,
        PICK(STREETS, i, 10), PICK(CITIES, i, 11), PICK(COUNTRIES, i, 11), count, total / 100,
        total % 100, total / 100.0 / count, PICK(SEGMENTS, i, 4), PICK(NOTES, i, 24));
    put_time(out, i);
    firn_buf_printf(out, ",\"%s\",\"%s\",\"%s\"", PICK(AGENTS, i, 25), PICK(GOODS, i, 26),
                    PICK(METHODS, i, 27));
}

#endif

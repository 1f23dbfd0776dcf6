/* The e-commerce sample: customers.csv, products.csv and orders.csv, made from a seed.
 *
 * Invariants: the same options give the same bytes; each file is written whole or not at all; what the checks of severity "error"
 * in examples/ecommerce demand always holds, and a small share of rows breaks those of severity "warn" (see the DIRT_ values).
 * Every row draws from its own generator, so a row does not depend on how many were made before it.
 */
#include "pipeline/pipeline.h"

#include "base/io.h"
#include "base/time.h"
#include "base/uuid.h"

#include <math.h>
#include <string.h>

enum {
    CUSTOMERS_BASE = 1000,
    PRODUCTS_BASE = 200,
    ORDERS_BASE = 5000,
    SCALE_MAX = 10000,
    ORDER_DAYS = 366,

    /* Shares in 1/10,000 of all rows. */
    DIRT_QUANTITY = 40,
    DIRT_NO_CUSTOMER = 15,
    DIRT_UNKNOWN_CUSTOMER = 15,
    DIRT_STATUS = 20,
    DIRT_EMAIL = 120,
    DIRT_STOCK = 50,
    SHARE_ALL = 10000,
};

typedef struct place {
    const char *city, *state;
} place;

static const char *const first_names[] = {
    "Alice",   "Benjamin", "Camille", "Daniel", "Elena", "Farid",  "Grace",  "Hugo",
    "Ines",    "Jamal",    "Karen",   "Louis",  "Maria", "Nadia",  "Oliver", "Paul",
    "Quentin", "Rosa",     "Samuel",  "Tara",   "Ugo",   "Victor", "Wanda",  "Xavier",
    "Yasmine", "Zoé",      "Amelia",  "Bruno",  "Chloé", "David",  "Emma",   "François"};
static const char *const last_names[] = {
    "Adams",  "Bernard", "Clark",   "Dubois", "Evans",   "Fischer", "Garcia",
    "Harris", "Ibrahim", "Johnson", "Kim",    "Lefèvre", "Martin",  "Nguyen",
    "O'Neil", "Petit",   "Quinn",   "Rossi",  "Schmidt", "Taylor",  "Umar",
    "Vargas", "Wilson",  "Xu",      "Young",  "Zhang",   "Moreau",  "Silva"};
static const place places[] = {
    {"New York", "NY"},  {"Buffalo", "NY"},     {"Los Angeles", "CA"},  {"San Francisco", "CA"},
    {"San Diego", "CA"}, {"Chicago", "IL"},     {"Houston", "TX"},      {"Austin", "TX"},
    {"Dallas", "TX"},    {"Phoenix", "AZ"},     {"Philadelphia", "PA"}, {"Pittsburgh", "PA"},
    {"Columbus", "OH"},  {"Cleveland", "OH"},   {"Seattle", "WA"},      {"Denver", "CO"},
    {"Boston", "MA"},    {"Miami", "FL"},       {"Orlando", "FL"},      {"Atlanta", "GA"},
    {"Detroit", "MI"},   {"Nashville", "TN"},   {"Portland", "OR"},     {"Las Vegas", "NV"},
    {"Charlotte", "NC"}, {"Minneapolis", "MN"}, {"New Orleans", "LA"},  {"Salt Lake City", "UT"}};

typedef struct category {
    const char *name;
    double median_price;
    const char *nouns[6];
} category;

static const category categories[] = {
    {"Electronics", 120.0, {"Headphones", "Keyboard", "Monitor", "Speaker", "Camera", "Tablet"}},
    {"Clothing", 38.0, {"Jacket", "Shirt", "Trousers", "Sweater", "Scarf", "Sneakers"}},
    {"Home", 55.0, {"Lamp", "Kettle", "Blanket", "Shelf", "Mirror", "Cushion"}},
    {"Sports", 45.0, {"Racket", "Yoga Mat", "Dumbbell", "Backpack", "Football", "Helmet"}},
    {"Books", 16.0, {"Novel", "Atlas", "Cookbook", "Biography", "Dictionary", "Travel Guide"}}};
static const char *const adjectives[] = {"Classic", "Compact", "Deluxe", "Eco",   "Modern",
                                         "Premium", "Pro",     "Slim",   "Smart", "Vintage"};
static const char *const payment_methods[] = {"Credit Card", "PayPal", "Debit Card"};

#define COUNT(array)     (sizeof(array) / sizeof((array)[0]))
#define PICK(rng, array) ((array)[firn_rng_below((rng), COUNT(array))])

/* Which file a row's generator belongs to, so that customer 7 and order 7 differ. */
typedef enum stream_id { STREAM_CUSTOMER = 1, STREAM_PRODUCT = 2, STREAM_ORDER = 3 } stream_id;

static firn_rng row_rng(uint64_t seed, stream_id stream, int64_t row)
{
    firn_rng rng;
    firn_rng_init(&rng, seed * 0x9E3779B97F4A7C15u ^ ((uint64_t)stream << 56) ^ (uint64_t)row);
    return rng;
}

static bool chance(firn_rng *rng, uint64_t share)
{
    return firn_rng_below(rng, SHARE_ALL) < share;
}

/* ---- text: printf is too slow for millions of rows ------------------------------------------------- */

static void put_text(firn_buf *buf, const char *text)
{
    firn_buf_append(buf, text, strlen(text));
}

static void put_cents(firn_buf *buf, int64_t cents)
{
    if (cents < 0) {
        firn_buf_putc(buf, '-');
        cents = -cents;
    }
    firn_buf_put_i64(buf, cents / 100);
    char fraction[3] = {'.', (char)('0' + cents / 10 % 10), (char)('0' + cents % 10)};
    firn_buf_append(buf, fraction, sizeof(fraction));
}

static void put_date(firn_buf *buf, int32_t days)
{
    firn_civil civil;
    firn_civil_from_days(days, &civil);
    char text[10] = {'0', '0', '0', '0', '-', '0', '0', '-', '0', '0'};
    for (int i = 3, rest = civil.year; i >= 0; i--, rest /= 10) {
        text[i] = (char)('0' + rest % 10);
    }
    text[5] = (char)('0' + civil.month / 10);
    text[6] = (char)('0' + civil.month % 10);
    text[8] = (char)('0' + civil.day / 10);
    text[9] = (char)('0' + civil.day % 10);
    firn_buf_append(buf, text, sizeof(text));
}

/* ---- rows ----------------------------------------------------------------------------------------- */

/* Roughly normal with mean 0 and deviation 1: enough for prices. */
static double bell(firn_rng *rng)
{
    double sum = 0;
    for (int i = 0; i < 12; i++) {
        sum += firn_rng_unit(rng);
    }
    return sum - 6.0;
}

static const category *product_category(int64_t product_id)
{
    return &categories[(product_id - 1) % (int64_t)COUNT(categories)];
}

/* Orders need the price too: it is drawn first, from the product's own generator. */
static int64_t product_price_cents(firn_rng *rng, int64_t product_id)
{
    double price = product_category(product_id)->median_price * exp(0.5 * bell(rng));
    int64_t cents = (int64_t)(price * 100.0 + 0.5);
    return cents < 199 ? 199 : cents;
}

static void put_ascii_lower(firn_buf *buf, const char *name)
{
    for (; *name != '\0'; name++) {
        char c = *name;
        if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')) {
            firn_buf_putc(buf, (uint8_t)(c | 0x20));
        }
    }
}

static void put_customer(firn_buf *buf, const firn_ecommerce_options *options, int64_t id)
{
    firn_rng rng = row_rng(options->seed, STREAM_CUSTOMER, id);
    const char *first = PICK(&rng, first_names);
    const char *last = PICK(&rng, last_names);
    const place *home = &places[firn_rng_below(&rng, COUNT(places))];
    firn_buf_put_i64(buf, id);
    firn_buf_putc(buf, ',');
    if (!chance(&rng, DIRT_EMAIL)) {
        put_ascii_lower(buf, first);
        firn_buf_putc(buf, '.');
        put_ascii_lower(buf, last);
        firn_buf_put_i64(buf, id);
        put_text(buf, "@example.com");
    }
    firn_buf_putc(buf, ',');
    put_text(buf, first);
    firn_buf_putc(buf, ',');
    put_text(buf, last);
    firn_buf_putc(buf, ',');
    put_text(buf, home->city);
    firn_buf_putc(buf, ',');
    put_text(buf, home->state);
    firn_buf_putc(buf, ',');
    put_date(buf, options->end_date - ORDER_DAYS - (int32_t)firn_rng_below(&rng, 3 * 365));
    uint64_t segment = firn_rng_below(&rng, 100);
    put_text(buf, segment < 20 ? ",Premium\n" : segment < 70 ? ",Standard\n" : ",Basic\n");
}

static void put_product(firn_buf *buf, const firn_ecommerce_options *options, int64_t id)
{
    firn_rng rng = row_rng(options->seed, STREAM_PRODUCT, id);
    const category *kind = product_category(id);
    int64_t price_cents = product_price_cents(&rng, id);
    firn_buf_put_i64(buf, id);
    firn_buf_putc(buf, ',');
    put_text(buf, PICK(&rng, adjectives));
    firn_buf_putc(buf, ' ');
    put_text(buf, PICK(&rng, kind->nouns));
    firn_buf_putc(buf, ' ');
    firn_buf_put_i64(buf, id);
    firn_buf_putc(buf, ',');
    put_text(buf, kind->name);
    firn_buf_putc(buf, ',');
    put_cents(buf, price_cents);
    firn_buf_putc(buf, ',');
    if (!chance(&rng, DIRT_STOCK)) {
        firn_buf_put_i64(buf, (int64_t)firn_rng_below(&rng, 500));
    }
    firn_buf_putc(buf, '\n');
}

/* Later days, weekends and the weeks before Christmas sell more. */
static int32_t order_day(firn_rng *rng, int32_t end_date)
{
    for (;;) {
        int32_t back = (int32_t)firn_rng_below(rng, ORDER_DAYS);
        int32_t day = end_date - back;
        int weekday = (int)(((day % 7) + 7 + 4) % 7); /* 1970-01-01 was a Thursday; 0 is Sunday */
        double weight = 0.55 + 0.15 * (1.0 - (double)back / ORDER_DAYS);
        weight += weekday == 0 || weekday == 6 ? 0.15 : 0.0;
        firn_civil civil;
        firn_civil_from_days(day, &civil);
        weight += civil.month == 11 || civil.month == 12 ? 0.15 : 0.0;
        if (firn_rng_unit(rng) < weight) {
            return day;
        }
    }
}

static int64_t order_quantity(firn_rng *rng)
{
    uint64_t draw = firn_rng_below(rng, 100);
    return draw < 60 ? 1 : draw < 82 ? 2 : draw < 93 ? 3 : 4 + (int64_t)firn_rng_below(rng, 5);
}

static const char *order_status(firn_rng *rng)
{
    if (chance(rng, DIRT_STATUS)) {
        return firn_rng_below(rng, 2) == 0 ? "shipped?" : "COMPLETE";
    }
    uint64_t draw = firn_rng_below(rng, 100);
    return draw < 80 ? "completed" : draw < 91 ? "pending" : "cancelled";
}

static void put_order(firn_buf *buf, const firn_ecommerce_options *options,
                      const firn_ecommerce_counts *counts, const int64_t *prices_cents, int64_t id)
{
    firn_rng rng = row_rng(options->seed, STREAM_ORDER, id);
    /* Squaring favours low ids: some customers and products sell far more than others. */
    double skew = firn_rng_unit(&rng);
    int64_t customer = 1 + (int64_t)(skew * skew * (double)counts->customers);
    skew = firn_rng_unit(&rng);
    int64_t product = 1 + (int64_t)(skew * sqrt(skew) * (double)counts->products);
    int64_t quantity = order_quantity(&rng);
    int64_t discount =
        firn_rng_below(&rng, 5) == 0 ? 5 * (1 + (int64_t)firn_rng_below(&rng, 4)) : 0;
    int64_t total_cents = prices_cents[product - 1] * quantity * (100 - discount) / 100;
    if (chance(&rng, DIRT_QUANTITY)) {
        quantity = firn_rng_below(&rng, 2) == 0 ? -quantity : 0;
    }
    firn_buf_put_i64(buf, id);
    firn_buf_putc(buf, ',');
    if (chance(&rng, DIRT_UNKNOWN_CUSTOMER)) {
        firn_buf_put_i64(buf, 900000000 + customer);
    } else if (!chance(&rng, DIRT_NO_CUSTOMER)) {
        firn_buf_put_i64(buf, customer);
    }
    firn_buf_putc(buf, ',');
    firn_buf_put_i64(buf, product);
    firn_buf_putc(buf, ',');
    put_date(buf, order_day(&rng, options->end_date));
    firn_buf_putc(buf, ',');
    firn_buf_put_i64(buf, quantity);
    firn_buf_putc(buf, ',');
    put_cents(buf, total_cents);
    firn_buf_putc(buf, ',');
    put_text(buf, order_status(&rng));
    firn_buf_putc(buf, ',');
    put_text(buf, PICK(&rng, payment_methods));
    firn_buf_putc(buf, '\n');
}

/* ---- files ---------------------------------------------------------------------------------------- */

static firn_rc store(const firn_ecommerce_options *options, const char *name, firn_buf *buf,
                     firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    const char *path = firn_path_join(arena, options->dir, name);
    if (buf->overflow) {
        FIRN_FAIL(err, FIRN_E_LIMIT,
                  "%s would be larger than %zu bytes: choose a smaller scale than %lld", path,
                  buf->max, (long long)options->scale);
    }
    return firn_file_write_atomic(path, firn_buf_bytes(buf), 0644, err);
}

static firn_rc write_customers(const firn_ecommerce_options *options, int64_t n, firn_err *err)
{
    FIRN_AUTO_BUF firn_buf buf = {.max = (size_t)4 << 30};
    put_text(
        &buf,
        "customer_id,email,first_name,last_name,city,state,registration_date,customer_segment\n");
    for (int64_t id = 1; id <= n; id++) {
        put_customer(&buf, options, id);
    }
    return store(options, "customers.csv", &buf, err);
}

static firn_rc write_products(const firn_ecommerce_options *options, int64_t n, firn_err *err)
{
    FIRN_AUTO_BUF firn_buf buf = {.max = (size_t)4 << 30};
    put_text(&buf, "product_id,product_name,category,price,stock_quantity\n");
    for (int64_t id = 1; id <= n; id++) {
        put_product(&buf, options, id);
    }
    return store(options, "products.csv", &buf, err);
}

static firn_rc write_orders(const firn_ecommerce_options *options,
                            const firn_ecommerce_counts *counts, firn_err *err)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    int64_t *prices_cents = FIRN_NEW_N(arena, int64_t, (size_t)counts->products);
    for (int64_t id = 1; id <= counts->products; id++) {
        firn_rng rng = row_rng(options->seed, STREAM_PRODUCT, id);
        prices_cents[id - 1] = product_price_cents(&rng, id);
    }
    FIRN_AUTO_BUF firn_buf buf = {.max = (size_t)16 << 30};
    put_text(
        &buf,
        "order_id,customer_id,product_id,order_date,quantity,total_amount,status,payment_method\n");
    for (int64_t id = 1; id <= counts->orders; id++) {
        put_order(&buf, options, counts, prices_cents, id);
    }
    return store(options, "orders.csv", &buf, err);
}

firn_rc firn_ecommerce_generate(const firn_ecommerce_options *options, firn_ecommerce_counts *out,
                                firn_err *err)
{
    if (options->scale < 1 || options->scale > SCALE_MAX) {
        FIRN_FAIL(err, FIRN_E_INVALID, "scale is %lld; it must be between 1 and %d",
                  (long long)options->scale, SCALE_MAX);
    }
    *out = (firn_ecommerce_counts){.customers = CUSTOMERS_BASE * options->scale,
                                   .products = PRODUCTS_BASE * options->scale,
                                   .orders = ORDERS_BASE * options->scale};
    FIRN_TRY(firn_mkdir_p(options->dir, 0755, err));
    FIRN_TRY(write_customers(options, out->customers, err));
    FIRN_TRY(write_products(options, out->products, err));
    return write_orders(options, out, err);
}

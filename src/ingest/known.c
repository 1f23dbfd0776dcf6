/* A table's columns as the decoder reads them (source/columns.h): what inference of JSON starts from, so that what a number was
 * yesterday is what it is today.
 */
#include "run.h"

static bool print_type(firn_buf *out, const firn_type *type);

static void print_name(firn_buf *out, const char *name)
{
    firn_buf_putc(out, '"');
    for (; *name != '\0'; name++) {
        if (*name == '"') {
            firn_buf_putc(out, '"');
        }
        firn_buf_putc(out, (uint8_t)*name);
    }
    firn_buf_puts(out, "\" ");
}

static bool print_fields(firn_buf *out, const firn_type *type, const firn_feed *feed)
{
    size_t n = 0;
    for (size_t i = 0; i < type->n_fields; i++) {
        const firn_field *field = &type->fields[i];
        bool is_ours =
            feed != NULL &&
            ((feed->key_column != NULL && firn_streq(field->name, feed->key_column)) ||
             (feed->kafka_column != NULL && firn_streq(field->name, feed->kafka_column)));
        size_t start = out->len;
        if (is_ours) {
            continue;
        }
        firn_buf_puts(out, n > 0 ? ", " : "");
        print_name(out, field->name);
        if (!print_type(out, field->type)) { /* has no counterpart: left out */
            out->len = start;
            continue;
        }
        if (field->required && field->write_default == NULL) {
            firn_buf_puts(out, " not null");
        }
        n++;
    }
    return n > 0;
}

static bool print_type(firn_buf *out, const firn_type *type)
{
    static const char *const NAMES[] = {
        [FIRN_TYPE_BOOLEAN] = "boolean",
        [FIRN_TYPE_INT] = "int",
        [FIRN_TYPE_LONG] = "bigint",
        [FIRN_TYPE_FLOAT] = "float",
        [FIRN_TYPE_DOUBLE] = "double",
        [FIRN_TYPE_DATE] = "date",
        [FIRN_TYPE_TIME] = "time",
        [FIRN_TYPE_TIMESTAMP] = "timestamp",
        [FIRN_TYPE_TIMESTAMPTZ] = "timestamptz",
        [FIRN_TYPE_TIMESTAMP_NS] = "timestamp_ns",
        [FIRN_TYPE_TIMESTAMPTZ_NS] = "timestamptz_ns",
        [FIRN_TYPE_STRING] = "varchar",
        [FIRN_TYPE_UUID] = "uuid",
        [FIRN_TYPE_FIXED] = "binary",
        [FIRN_TYPE_BINARY] = "binary",
    };
    bool ok = true;
    switch (type->id) {
    case FIRN_TYPE_DECIMAL:
        firn_buf_printf(out, "decimal(%d, %d)", (int)type->precision, (int)type->scale);
        return true;
    case FIRN_TYPE_STRUCT:
        firn_buf_puts(out, "struct<");
        ok = print_fields(out, type, NULL);
        firn_buf_puts(out, ">");
        return ok;
    case FIRN_TYPE_LIST:
        firn_buf_puts(out, "array<");
        ok = print_type(out, type->fields[0].type);
        firn_buf_puts(out, ">");
        return ok;
    case FIRN_TYPE_MAP:
        firn_buf_puts(out, "map<");
        ok = print_type(out, type->fields[0].type);
        firn_buf_puts(out, ", ");
        ok = ok && print_type(out, type->fields[1].type);
        firn_buf_puts(out, ">");
        return ok;
    default: break;
    }
    if ((size_t)type->id >= sizeof(NAMES) / sizeof(NAMES[0]) || NAMES[type->id] == NULL) {
        return false;
    }
    firn_buf_puts(out, NAMES[type->id]);
    return true;
}

char *firn_known_columns(firn_arena *arena, const firn_schema *schema, const firn_feed *feed)
{
    FIRN_AUTO_BUF firn_buf out = {0};
    if (!print_fields(&out, &schema->root, feed)) {
        return NULL;
    }
    return firn_arena_strdup(arena, firn_buf_cstr(&out));
}

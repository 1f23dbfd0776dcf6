/* Names from folders that others made: metadata files, version hints, table folders, Hive partition paths. Whatever the bytes, what
 * comes out is valid: names in UTF-8 without separators, values that the inferred type takes.
 */
#include "lake/hive_path.h"
#include "lake/warehouse.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static void check_warehouse(firn_arena *arena, const char *text)
{
    const char *ns = NULL, *name = NULL;
    require(firn_metadata_file_version(text) >= -1);
    if (firn_warehouse_name(arena, text, &ns, &name)) {
        require(name[0] != '\0' && firn_utf8_valid(firn_bytes_str(name)));
        require(strpbrk(name, "/@$\x1f") == NULL && firn_utf8_valid(firn_bytes_str(ns)));
        require(strlen(ns) <= 255 && strchr(ns, '/') == NULL);
    }
}

static void check_hive(firn_arena *arena, const char *text)
{
    firn_hive_key *keys = NULL;
    size_t n = 0;
    (void)firn_hive_is_hidden(text);
    if (firn_hive_path_parse(arena, text, &keys, &n, NULL) != FIRN_OK) {
        return;
    }
    for (size_t i = 0; i < n; i++) {
        require(keys[i].name[0] != '\0' && firn_utf8_valid(firn_bytes_str(keys[i].name)));
        firn_type type = {.id = firn_hive_type_widen(FIRN_TYPE_UNKNOWN, keys[i].value)};
        require((type.id == FIRN_TYPE_UNKNOWN) == (keys[i].value == NULL));
        firn_value value;
        if (keys[i].value != NULL) {
            require(firn_utf8_valid(firn_bytes_str(keys[i].value)));
            require(firn_value_from_text(arena, &type, keys[i].value, &value, NULL) == FIRN_OK);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    require(firn_version_hint_parse(firn_bytes_of(data, size)) >= -1);
    const char *text = firn_arena_strndup(arena, (const char *)data, size);
    check_warehouse(arena, text);
    check_hive(arena, text);
    return 0;
}

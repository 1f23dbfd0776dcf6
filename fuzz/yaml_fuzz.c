/* YAML documents: any bytes either parse within the bounds or are refused. What parses is a tree that can
 * be written out, and every key of its top level has a line.
 */
#include "base/yaml.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_yaml yaml = {0};
    firn_err err = {0};
    firn_rc rc = firn_yaml_parse(arena, firn_bytes_of(data, size), "fuzz.yaml", &yaml, &err);
    if (rc != FIRN_OK) {
        assert(rc == FIRN_E_CONFIG || rc == FIRN_E_LIMIT);
        assert(err.code == rc && err.message[0] != '\0');
        return 0;
    }
    assert(firn_json_text(arena, yaml.root)[0] != '\0');
    const char *key;
    json_t *value;
    json_object_foreach(yaml.root, key, value)
    {
        assert(firn_yaml_key_line(&yaml, yaml.root, key) > 0);
        assert(json_is_null(value) || json_is_boolean(value) || firn_yaml_line(&yaml, value) > 0);
    }
    return 0;
}

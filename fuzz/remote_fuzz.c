/* What the client of a remote catalog reads of its server: configurations, tables and views, errors, and what the tables say
 * of a commit whose outcome is unknown. */
#include "remote/remote.h"

#include "net/http.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_load(firn_arena *arena, firn_bytes text)
{
    json_t *json;
    const char *location;
    firn_metadata *metadata;
    if (firn_remote_parse_load(arena, text, "fuzz", &json, &location, NULL) != FIRN_OK ||
        firn_metadata_from_json(arena, json, location, &metadata, NULL) != FIRN_OK) {
        return;
    }
    /* A commit built on the metadata asserts things that hold on it, and is not judged as made. */
    json_t *requirements = firn_json_own(arena, json_array());
    firn_remote_expect(requirements, metadata);
    assert(json_array_size(requirements) > 0);
    json_t *updates =
        firn_json_own(arena, json_pack("[{s:s, s:{s:I}}]", "action", "add-snapshot", "snapshot",
                                       "snapshot-id", (json_int_t)INT64_MAX));
    firn_outcome outcome = firn_remote_judge(metadata, requirements, updates);
    assert(outcome == FIRN_OUTCOME_UNKNOWN || metadata->n_snapshots > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FIRN_AUTO_ARENA firn_arena *arena = firn_arena_new();
    firn_bytes text = firn_bytes_of(data, size);
    firn_remote_config config = {.ref = ""};
    if (firn_remote_parse_config(arena, text, "http://h", NULL, &config, NULL) == FIRN_OK) {
        assert(config.separator[0] && config.uri && config.prefix);
        assert(firn_remote_ns_path(&config, arena, "a" FIRN_NS_SEP "b"));
    }
    for (int status = 400; status <= 503; status += 103) {
        firn_remote_error error;
        firn_remote_parse_error(arena, status, text, FIRN_E_NO_TABLE, &error);
        assert(error.code != FIRN_OK && error.type && error.message);
    }
    read_load(arena, text);
    return 0;
}

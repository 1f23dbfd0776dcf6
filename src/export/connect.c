/* The ksqlDB server of a feed: see connect.h. */
#include "export/connect.h"

#include "base/time.h"

#include <limits.h>

static firn_rc read_timeout(const firn_source_config *source, int *timeout_ms, firn_err *err)
{
    int64_t ms = 0;
    if (source->timeout != NULL &&
        (!firn_parse_duration(source->timeout, &ms) || ms < 1 || ms > INT_MAX)) {
        FIRN_FAIL(
            err, FIRN_E_CONFIG,
            "firn.yaml:%d: the timeout of source \"%s\" must be a duration such as 30s or 2m, "
            "but it is \"%s\"",
            source->line, source->name, source->timeout);
    }
    *timeout_ms = (int)ms;
    return FIRN_OK;
}

static firn_http_version version_of(const firn_source_config *source)
{
    const char *text = source->http != NULL ? source->http : "auto";
    return firn_streq(text, "1.1") ? FIRN_HTTP_1_1
           : firn_streq(text, "2") ? FIRN_HTTP_2
                                   : FIRN_HTTP_AUTO;
}

firn_rc firn_export_ksqldb_open(firn_lake *lake, const char *server, firn_ksqldb **out,
                                firn_err *err)
{
    const firn_source_config *source = NULL;
    int timeout_ms = 0;
    FIRN_TRY(
        firn_source_config_find(firn_lake_config(lake), FIRN_SOURCE_KSQLDB, server, &source, err));
    FIRN_TRY(read_timeout(source, &timeout_ms, err));
    const firn_ksqldb_options options = {
        .url = source->ksqldb,
        .username = source->username,
        .password = source->password,
        .token = source->token,
        .ca_file = source->ca_file,
        .cert_file = source->cert_file,
        .key_file = source->key_file,
        .timeout_ms = timeout_ms,
        .version = version_of(source),
    };
    return firn_ksqldb_open(&options, out, err);
}

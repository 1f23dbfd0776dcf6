/* A feed's source, as firn.yaml describes it: the cluster and the registry. */
#include "run.h"

#include "lake/sources.h"

firn_rc firn_feed_kafka(firn_lake *lake, const firn_feed *feed, firn_kafka **out, firn_err *err)
{
    const firn_source_config *source = NULL;
    FIRN_TRY(firn_source_config_find(firn_lake_config(lake), FIRN_SOURCE_KAFKA, feed->source,
                                     &source, err));
    const firn_kafka_options options = {
        .brokers = source->kafka,
        .security = source->security,
        .mechanism = source->mechanism,
        .username = source->username,
        .password = source->password,
        .ca_file = source->ca_file,
        .cert_file = source->cert_file,
        .key_file = source->key_file,
        .key_password = source->key_password,
        .oauth_url = source->oauth_url,
        .oauth_client = source->oauth_client,
        .oauth_secret = source->oauth_secret,
        .oauth_scope = source->oauth_scope,
        .properties = source->properties,
    };
    return firn_kafka_new(&options, out, err);
}

firn_rc firn_feed_registry(firn_lake *lake, const firn_feed *feed, firn_registry **out,
                           firn_err *err)
{
    const firn_source_config *source = NULL;
    *out = NULL;
    FIRN_TRY(firn_source_config_find(firn_lake_config(lake), FIRN_SOURCE_KAFKA, feed->source,
                                     &source, err));
    if (source->registry == NULL) {
        return FIRN_OK;
    }
    const firn_registry_options options = {
        .url = source->registry,
        .username = source->registry_username,
        .password = source->registry_password,
        .token = source->registry_token,
        .context = source->registry_context,
        .ca_file = source->registry_ca_file,
    };
    return firn_registry_new(&options, out, err);
}

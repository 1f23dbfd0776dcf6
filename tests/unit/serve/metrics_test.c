/* /metrics: every line is as Prometheus wants it, and feeds and schedules are among them. */
#include "serving.h"

static void put(serving *s, const char *path, const char *text)
{
    firn_err err = {0};
    const char *full = firn_path_join(s->arena, s->dir, path);
    assert_int_equal(firn_mkdir_p(firn_path_dirname(s->arena, full), 0755, &err), FIRN_OK);
    assert_int_equal(firn_file_write_atomic(full, firn_bytes_str(text), 0644, &err), FIRN_OK);
}

static int setup(void **state)
{
    serving *s = calloc(1, sizeof(*s));
    serving_start(s, "schedules:\n  - {name: nightly, cron: \"0 2 * * *\", run: export --all}\n"
                     "  - {name: never, cron: \"0 3 * * *\", run: export --all}\n");
    put(s, "feeds/active/pay.json",
        "{\"feed_name\": \"pay\", \"feed_type\": \"stream\", \"ksqldb_source\": \"pay\", \"partitioning\": "
        "{\"type\": \"date\", \"columns\": [\"year\", \"month\", \"day\"]}, \"storage_mode\": \"append\", "
        "\"format\": \"parquet\", \"retention_days\": 365, \"enabled\": true, "
        "\"created_at\": \"2025-01-15T10:00:00Z\"}");
    put(s, "feeds/active/odd \"name\".json", "{");
    put(s, ".firn/export/pay.history.jsonl",
        "{\"time\": \"2025-01-15T12:00:00Z\", \"outcome\": \"done\", \"rows\": 7, \"bytes\": 50, \"json_bytes\": 200, "
        "\"seconds\": 0.5}\n"
        "{\"time\": \"2025-01-15T12:01:00Z\", \"outcome\": \"failed\", \"seconds\": 1.5}\n");
    put(s, ".firn/schedules/nightly.json",
        "{\"outcome\": \"failed\", \"exit_code\": 1, \"started\": \"2025-01-15T02:00:00Z\", \"last_success\": "
        "\"2025-01-14T02:00:05Z\", \"runs\": 12, \"failures\": 3}");
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    serving_end(*state);
    free(*state);
    return 0;
}

static const char *metrics(serving *s)
{
    firn_http_request in = {
        .arena = s->arena, .method = "GET", .path = "/metrics", .peer = "127.0.0.1:1"};
    s->response = (firn_http_response){.status = 200};
    firn_serve_request(s->server, &in, &s->response);
    assert_int_equal(s->response.status, 200);
    return firn_arena_strndup(s->arena, (const char *)s->response.body.data, s->response.body.len);
}

static void says(const char *text, const char *line)
{
    if (strstr(text, line) == NULL) {
        fail_msg("\"%s\" is not in:\n%s", line, text);
    }
}

/* What `promtool check metrics` looks at: HELP and TYPE once and before the samples, names, units last, counters end in _total, no
 * series twice. */
static void lines_are_prometheus(void **state)
{
    serving *s = *state;
    size_t n = 0;
    char **lines = firn_str_split(s->arena, metrics(s), '\n', &n);
    const char *name = "";
    assert_string_equal(lines[n - 1], "");
    for (size_t i = 0; i + 1 < n; i++) {
        const char *line = lines[i];
        if (firn_starts_with(line, "# HELP ")) {
            name = firn_arena_strndup(s->arena, line + 7, strcspn(line + 7, " "));
            assert_true(firn_ends_with(line, "."));
            const char *before = firn_arena_printf(s->arena, "# TYPE %s ", name);
            assert_true(firn_starts_with(name, "firn_") || firn_starts_with(name, "process_"));
            assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(name));
            assert_true(firn_starts_with(lines[++i], before));
            const char *type = lines[i] + strlen(before);
            assert_true(firn_streq(type, "gauge") || firn_streq(type, "counter"));
            assert_int_equal(firn_streq(type, "counter"), firn_ends_with(name, "_total"));
            for (size_t k = 0; k < i - 1; k++) {
                assert_false(
                    firn_starts_with(lines[k], firn_arena_printf(s->arena, "# HELP %s ", name)));
            }
            continue;
        }
        size_t length = strcspn(line, "{ ");
        const char *value = strrchr(line, ' ');
        double number = 0;
        assert_true(length == strlen(name) && strncmp(line, name, length) == 0);
        assert_non_null(value);
        assert_true(firn_parse_f64(value + 1, &number));
        for (size_t k = 0; k < i; k++) {
            size_t series = (size_t)(value - line);
            assert_false(strncmp(lines[k], line, series) == 0 && lines[k][series] == ' ');
        }
    }
}

static void feeds_and_schedules_are_there(void **state)
{
    const char *text = metrics(*state);
    says(text, "firn_export_last_success_timestamp_seconds{feed=\"pay\"} 1736942400\n");
    says(text, "firn_export_last_duration_seconds{feed=\"pay\"} 1.5\n");
    says(text, "firn_export_recent_exports{feed=\"pay\"} 2\n");
    says(text, "firn_export_recent_failures{feed=\"pay\"} 1\n");
    says(text, "firn_export_failures_in_a_row{feed=\"pay\"} 1\n");
    assert_null(
        strstr(text, "firn_export_json_ratio{")); /* of no rows: what is not known is left out */
    says(text, "firn_export_health{feed=\"pay\",state=\"failing\"} 1\n");
    says(text, "firn_export_health{feed=\"pay\",state=\"ok\"} 0\n");
    says(text, "firn_export_alerts{feed=\"pay\"} 0\n");
    says(text, "firn_schedule_runs_total{schedule=\"nightly\"} 12\n");
    says(text, "firn_schedule_failures_total{schedule=\"nightly\"} 3\n");
    says(text,
         "firn_schedule_last_success_timestamp_seconds{schedule=\"nightly\"} 1736820005.000\n");
    says(text, "firn_schedule_running{schedule=\"never\"} 0\n");
    assert_null(strstr(text, "last_success_timestamp_seconds{schedule=\"never\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_are_prometheus, setup, teardown),
        cmocka_unit_test_setup_teardown(feeds_and_schedules_are_there, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

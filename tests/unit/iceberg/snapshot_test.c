/* Snapshots: what each operation leaves in the table, what it says about itself, and when it refuses. */
#include "files_testing.h"

#include "base/time.h"

static const firn_snapshot_validation unchecked = {.starting_snapshot_id =
                                                       FIRN_NO_STARTING_SNAPSHOT};

static firn_manifest_file *manifests_of(const firn_metadata *table, size_t *n)
{
    firn_manifest_file *files = NULL;
    MUST(firn_manifest_list_read(storage, arena, table, table->current_snapshot, &files, n, &err));
    return files;
}

static firn_data_file delete_file(const firn_metadata *table, const char *name, int32_t day,
                                  firn_content content, int64_t rows)
{
    firn_data_file file = data_file(table, name, day, 0, rows);
    file.content = content;
    file.n_metrics = 0;
    if (content == FIRN_CONTENT_EQUALITY_DELETES) {
        static int32_t ids[] = {1};
        file.equality_ids = ids;
        file.n_equality_ids = 1;
    }
    return file;
}

static firn_data_file vector_of(const firn_metadata *table, const char *name,
                                const firn_data_file *data, int64_t offset, int64_t rows)
{
    firn_data_file file =
        delete_file(table, name, data->partition->i32, FIRN_CONTENT_POSITION_DELETES, rows);
    file.format = "PUFFIN";
    file.referenced_data_file = data->path;
    file.content_offset = offset;
    file.content_size_bytes = 40;
    return file;
}

static firn_snapshot_change row_delta(const firn_data_file *added, size_t n,
                                      const firn_data_file *removed, size_t n_removed)
{
    return (firn_snapshot_change){.op = FIRN_SNAPSHOT_OVERWRITE,
                                  .added = added,
                                  .n_added = n,
                                  .removed = removed,
                                  .n_removed = n_removed,
                                  .validation = unchecked};
}

/* ---- append ---- */

static void test_append(void **state)
{
    (void)state;
    for (int version = 1; version <= 3; version++) {
        const firn_metadata *t = new_table(version, by_day, NULL);
        firn_data_file first[] = {data_file(t, "a", 10, 0, 100), data_file(t, "b", 11, 100, 50)};
        t = append(t, first, 2);
        firn_data_file second = data_file(t, "c", 10, 150, 25);
        t = append(t, &second, 1);
        assert_string_equal(planned(t, NULL), "c,a,b");
        assert_string_equal(summary_of(t, "added-data-files"), "1");
        assert_string_equal(summary_of(t, "added-records"), "25");
        assert_string_equal(summary_of(t, "added-files-size"), "1000");
        assert_string_equal(summary_of(t, "total-data-files"), "3");
        assert_string_equal(summary_of(t, "total-records"), "175");
        assert_string_equal(summary_of(t, "total-files-size"), "3000");
        assert_string_equal(summary_of(t, "total-delete-files"), "0");
        assert_string_equal(summary_of(t, "changed-partition-count"), "1");
        assert_string_equal(summary_of(t, "deleted-records"), "");
        assert_string_equal(t->current_snapshot->operation, "append");
        assert_int_equal(t->current_snapshot->sequence_number, version == 1 ? 0 : 2);
        assert_int_equal(last_result.n_written, 2);

        size_t n;
        firn_scan_task *tasks = plan(t, NULL, &n, NULL);
        assert_int_equal(tasks[0].data_sequence_number, version == 1 ? 0 : 2);
        assert_int_equal(tasks[1].data_sequence_number, version == 1 ? 0 : 1);
        assert_int_equal(tasks[0].snapshot_id, t->current_snapshot->snapshot_id);
        assert_int_equal(tasks[1].file->n_metrics, 1);
        assert_int_equal(tasks[1].file->metrics[0].size_bytes, 800);
        assert_int_equal(tasks[1].file->metrics[0].nan_count, -1);
        assert_int_equal(tasks[0].file->first_row_id, version < 3 ? -1 : 150);
        assert_int_equal(tasks[1].file->first_row_id, version < 3 ? -1 : 0);
        assert_int_equal(tasks[2].file->first_row_id, version < 3 ? -1 : 100);
        if (version == 3)
            assert_int_equal(t->next_row_id, 175);
        tear_down(state);
        set_up(state);
    }
}

static void test_empty_change(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(2, by_day, NULL);
    assert_ptr_equal(append(t, NULL, 0), t);
    assert_true(last_result.empty);
    assert_int_equal(last_result.n_written, 0);
}

static void test_append_refuses(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(2, by_day, NULL), *next;
    firn_data_file twice[] = {data_file(t, "a", 10, 0, 100), data_file(t, "a", 10, 0, 100)};
    firn_snapshot_change change = {
        .op = FIRN_SNAPSHOT_APPEND, .added = twice, .n_added = 2, .validation = unchecked};
    MUST_FAIL(try_commit(t, &change, &next, &err), FIRN_E_INVALID, "is added twice");
    change.n_added = 1;
    twice[0].n_partition = 0;
    MUST_FAIL(try_commit(t, &change, &next, &err), FIRN_E_INVALID, "0 partition values");
    twice[0].n_partition = 1;
    twice[0].spec_id = 7;
    MUST_FAIL(try_commit(t, &change, &next, &err), FIRN_E_INVALID, "partition spec 7");
    twice[0] = delete_file(t, "d", 10, FIRN_CONTENT_POSITION_DELETES, 1);
    MUST_FAIL(try_commit(t, &change, &next, &err), FIRN_E_INVALID, "cannot add delete file");
    change.op = FIRN_SNAPSHOT_OVERWRITE;
    const firn_metadata *v1 = new_table(1, by_day, NULL), *v3 = new_table(3, by_day, NULL);
    MUST_FAIL(try_commit(v1, &change, &next, &err), FIRN_E_INVALID, "version 1 has no deletes");
    MUST_FAIL(try_commit(v3, &change, &next, &err), FIRN_E_INVALID, "deletion vectors only");
    firn_data_file data = data_file(t, "x", 10, 0, 1);
    twice[0] = vector_of(t, "v", &data, 4, 1);
    MUST_FAIL(try_commit(t, &change, &next, &err), FIRN_E_INVALID, "format version 2 has none");
    firn_storage_object *objects;
    size_t n;
    MUST(firn_storage_list(storage, arena, folder, &objects, &n, &err));
    assert_int_equal(n, 0);
}

static void test_merges_small_manifests(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(3, by_day, "{'commit.manifest.min-count-to-merge': '3'}");
    for (int i = 0; i < 5; i++) {
        firn_data_file file = data_file(t, firn_arena_printf(arena, "f%d", i), 10 + i, i * 10, 10);
        t = append(t, &file, 1);
    }
    size_t n;
    const firn_manifest_file *files = manifests_of(t, &n);
    assert_int_equal(n, 1); /* merged at the third and at the fifth */
    assert_int_equal(files[0].added_files, 1);
    assert_int_equal(files[0].existing_files, 4);
    assert_int_equal(files[0].min_sequence_number, 1);
    assert_string_equal(summary_of(t, "manifests-replaced"), "2");
    assert_string_equal(planned(t, NULL), "f4,f3,f2,f1,f0");
    firn_scan_task *tasks = plan(t, NULL, &n, NULL);
    static const int64_t row_ids[] = {60, 50, 20, 10, 0};
    for (int i = 0; i < 5; i++) {
        assert_int_equal(tasks[i].data_sequence_number, 5 - i);
        /* A merged manifest claims ids for all its rows, as in Java; those that have some keep them. */
        assert_int_equal(tasks[i].file->first_row_id, row_ids[i]);
    }
    for (size_t i = 0; i < last_result.n_written; i++) { /* the swallowed manifest is gone */
        int64_t size;
        MUST(firn_storage_size(storage, last_result.written[i], &size, &err));
    }
    assert_int_equal(last_result.n_written, 2);
}

static void test_large_append(void **state)
{
    (void)state;
    enum { FILES = 30000 };
    const firn_metadata *t = new_table(2, by_day, "{'commit.manifest.target-size-bytes': '60000'}");
    firn_data_file *files = FIRN_NEW_N(arena, firn_data_file, FILES);
    for (int i = 0; i < FILES; i++)
        files[i] = data_file(t, firn_arena_printf(arena, "f%06d", i), 10 + i / 100, i * 10, 10);
    t = commit(t, &(firn_snapshot_change){.op = FIRN_SNAPSHOT_APPEND,
                                          .added = files,
                                          .n_added = FILES,
                                          .threads = 2,
                                          .validation = unchecked});
    size_t n;
    const firn_manifest_file *manifests = manifests_of(t, &n);
    assert_true(n > 3);
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++) {
        assert_true(manifests[i].length_bytes < 200000);
        sum += manifests[i].added_files;
    }
    assert_int_equal(sum, FILES);
    firn_scan_stats stats;
    plan(t, where(t, "{'type':'eq','term':'id','value':123456}"), &n, &stats);
    assert_int_equal(n, 1);
    plan(t, where(t, "{'type':'eq','term':'day','value':'1970-01-12'}"), &n, &stats);
    assert_int_equal(n, 100);
    assert_true(stats.manifests_skipped > 0);
}

/* ---- removing ---- */

static void test_overwrite_files(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(2, by_day, NULL);
    firn_data_file files[] = {data_file(t, "a", 10, 0, 100), data_file(t, "b", 11, 100, 50),
                              data_file(t, "c", 11, 150, 50)};
    t = append(t, files, 2);
    t = append(t, &files[2], 1);
    int64_t before = t->current_snapshot->snapshot_id;
    firn_data_file replacement = data_file(t, "b2", 11, 100, 40);
    firn_snapshot_change change = row_delta(&replacement, 1, &files[1], 1);
    change.validation.removed_must_exist = true;
    t = commit(t, &change);
    assert_string_equal(planned(t, NULL), "b2,c,a");
    assert_string_equal(t->current_snapshot->operation, "overwrite");
    assert_string_equal(summary_of(t, "deleted-data-files"), "1");
    assert_string_equal(summary_of(t, "deleted-records"), "50");
    assert_string_equal(summary_of(t, "total-records"), "190");
    assert_string_equal(summary_of(t, "changed-partition-count"), "1");
    assert_int_equal(t->current_snapshot->parent_id, before);

    size_t n;
    const firn_manifest_file *manifests = manifests_of(t, &n);
    const firn_manifest_file *rewritten = NULL;
    for (size_t i = 0; i < n; i++) {
        if (manifests[i].deleted_files > 0)
            rewritten = &manifests[i];
    }
    assert_non_null(rewritten);
    assert_int_equal(rewritten->existing_files, 1);
    firn_manifest *m;
    MUST(firn_manifest_open(storage, NULL, t, rewritten, &m, &err));
    for (size_t i = 0; i < firn_manifest_len(m); i++) {
        firn_manifest_entry entry;
        firn_manifest_entry_at(m, arena, i, &entry);
        bool gone = strstr(entry.file.path, "b.parquet");
        assert_int_equal(entry.status, gone ? FIRN_ENTRY_DELETED : FIRN_ENTRY_EXISTING);
        assert_int_equal(entry.data_sequence_number, 1);
        assert_int_equal(entry.file_sequence_number, 1);
        assert_true((entry.snapshot_id == t->current_snapshot->snapshot_id) == gone);
    }
    firn_manifest_unref(m);

    const firn_metadata *next;
    MUST_FAIL(try_commit(t, &change, &next, &err), FIRN_E_VALIDATION, "no longer in the table");
    firn_data_file more = data_file(t, "d", 12, 0, 1);
    t = append(t, &more, 1); /* the next commit drops nothing but keeps what lives */
    assert_string_equal(planned(t, NULL), "d,b2,c,a");
}

static void test_manifest_without_live_files_is_dropped(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(2, by_day, NULL);
    firn_data_file a = data_file(t, "a", 10, 0, 100), b = data_file(t, "b", 11, 0, 1);
    t = append(t, &a, 1);
    firn_snapshot_change change = row_delta(NULL, 0, &a, 1);
    change.op = FIRN_SNAPSHOT_DELETE;
    t = commit(t, &change);
    size_t n;
    manifests_of(t, &n);
    assert_int_equal(n, 1); /* says what was deleted */
    assert_string_equal(planned(t, NULL), "");
    t = append(t, &b, 1);
    manifests_of(t, &n);
    assert_int_equal(n, 1);
    assert_string_equal(summary_of(t, "total-records"), "1");
}

static void test_dynamic_overwrite(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(2, by_day, NULL);
    firn_data_file files[] = {data_file(t, "a", 10, 0, 100), data_file(t, "b", 11, 100, 50),
                              data_file(t, "n", INT32_MIN, 150, 50)};
    t = append(t, files, 3);
    firn_data_file pos = delete_file(t, "pos", 11, FIRN_CONTENT_POSITION_DELETES, 3);
    firn_snapshot_change delta = row_delta(&pos, 1, NULL, 0);
    t = commit(t, &delta);
    firn_data_file added[] = {data_file(t, "b2", 11, 100, 40), data_file(t, "n2", INT32_MIN, 0, 5)};
    t = commit(t, &(firn_snapshot_change){.op = FIRN_SNAPSHOT_OVERWRITE,
                                          .added = added,
                                          .n_added = 2,
                                          .replace_partitions = true,
                                          .validation = unchecked});
    assert_string_equal(planned(t, NULL), "b2,n2,a");
    assert_string_equal(summary_of(t, "replace-partitions"), "true");
    assert_string_equal(summary_of(t, "removed-position-delete-files"), "1");
    assert_string_equal(summary_of(t, "total-delete-files"), "0");
    assert_string_equal(summary_of(t, "total-position-deletes"), "0");
    assert_string_equal(summary_of(t, "changed-partition-count"), "2");
}

static void test_overwrite_everything(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(2, NULL, NULL);
    firn_data_file files[] = {data_file(t, "a", 0, 0, 100), data_file(t, "b", 0, 100, 50)};
    t = append(t, files, 2);
    firn_data_file added = data_file(t, "c", 0, 0, 1);
    t = commit(t, &(firn_snapshot_change){.op = FIRN_SNAPSHOT_OVERWRITE,
                                          .added = &added,
                                          .n_added = 1,
                                          .replace_partitions = true,
                                          .validation = unchecked});
    assert_string_equal(planned(t, NULL), "c");
    t = commit(t, &(firn_snapshot_change){
                      .op = FIRN_SNAPSHOT_DELETE, .remove_all = true, .validation = unchecked});
    assert_string_equal(planned(t, NULL), "");
    assert_string_equal(summary_of(t, "total-records"), "0");
}

static void test_remove_matching(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(2, by_day, NULL), *next;
    firn_data_file files[] = {data_file(t, "a", 10, 0, 100), data_file(t, "b", 11, 100, 50),
                              data_file(t, "c", 11, 150, 50)};
    t = append(t, files, 3);
    firn_snapshot_change change = {.op = FIRN_SNAPSHOT_DELETE,
                                   .remove_matching =
                                       where(t, "{'type':'lt','term':'id','value':120}"),
                                   .validation = unchecked};
    MUST_FAIL(try_commit(t, &change, &next, &err), FIRN_E_VALIDATION, "b.parquet");
    change.remove_matching = where(t, "{'type':'lt','term':'id','value':150}");
    assert_string_equal(planned(commit(t, &change), NULL), "c");
    change.remove_matching = where(t, "{'type':'eq','term':'day','value':'1970-01-12'}");
    assert_string_equal(planned(commit(t, &change), NULL), "a");
    change.remove_matching = where(t, "{'type':'gt','term':'id','value':1000}");
    assert_ptr_equal(commit(t, &change), t);
}

/* ---- deletes ---- */

static void test_deletes_apply_by_sequence(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(2, by_day, NULL);
    firn_data_file old = data_file(t, "old", 10, 0, 100), new = data_file(t, "new", 10, 0, 100);
    firn_data_file other = data_file(t, "other", 11, 0, 100);
    t = append(t, &old, 1);
    firn_data_file with_deletes[] = {new, other,
                                     delete_file(t, "eq", 10, FIRN_CONTENT_EQUALITY_DELETES, 3),
                                     delete_file(t, "pos", 10, FIRN_CONTENT_POSITION_DELETES, 2)};
    firn_snapshot_change delta = row_delta(with_deletes, 4, NULL, 0);
    t = commit(t, &delta);
    size_t n;
    firn_scan_task *tasks = plan(t, NULL, &n, NULL);
    assert_int_equal(n, 3);
    for (size_t i = 0; i < n; i++) {
        const char *name = firn_path_basename(tasks[i].file->path);
        /* equality deletes: strictly older files; position deletes: the same commit's, too */
        size_t expected = name[0] == 'n' ? 1 : name[0] == 'o' && name[1] == 'l' ? 2 : 0;
        assert_int_equal(tasks[i].n_deletes, expected);
    }
    int64_t rows;
    firn_scan_options options = {
        .storage = storage, .metadata = t, .snapshot = t->current_snapshot};
    MUST(firn_scan_count_rows(&options, &rows, &err));
    assert_int_equal(rows, -1);
    assert_string_equal(summary_of(t, "added-equality-deletes"), "3");
    assert_string_equal(summary_of(t, "added-position-deletes"), "2");
    assert_string_equal(summary_of(t, "added-delete-files"), "2");
}

static void test_vectors(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(3, by_day, NULL), *next;
    firn_data_file a = data_file(t, "a", 10, 0, 100), b = data_file(t, "b", 11, 100, 50);
    firn_data_file both[] = {a, b};
    t = append(t, both, 2);
    firn_data_file vectors[] = {vector_of(t, "v1", &a, 4, 7), vector_of(t, "v1", &b, 44, 2)};
    firn_snapshot_change change = row_delta(vectors, 2, NULL, 0);
    t = commit(t, &change);
    assert_string_equal(summary_of(t, "added-dvs"), "2");
    assert_string_equal(summary_of(t, "added-files-size"), "80");
    int64_t rows;
    firn_scan_options options = {
        .storage = storage, .metadata = t, .snapshot = t->current_snapshot};
    MUST(firn_scan_count_rows(&options, &rows, &err));
    assert_int_equal(rows, 150 - 9);

    firn_data_file second = vector_of(t, "v2", &a, 4, 9);
    change = row_delta(&second, 1, NULL, 0);
    MUST_FAIL(try_commit(t, &change, &next, &err), FIRN_E_VALIDATION,
              "already has a deletion vector");
    change = row_delta(&second, 1, &vectors[0], 1);
    t = commit(t, &change);
    assert_string_equal(summary_of(t, "removed-dvs"), "1");
    size_t n;
    firn_scan_task *tasks = plan(t, NULL, &n, NULL);
    assert_int_equal(tasks[0].n_deletes, 1);
    assert_int_equal(tasks[0].deletes[0].file->record_count, 9);
    assert_int_equal(tasks[1].deletes[0].file->content_offset, 44);

    change = row_delta(NULL, 0, &b, 1); /* its vector goes with it */
    t = commit(t, &change);
    assert_string_equal(summary_of(t, "removed-dvs"), "1");
    assert_string_equal(summary_of(t, "total-delete-files"), "1");
    change = row_delta(&second, 1, &a, 1);
    MUST_FAIL(try_commit(t, &change, &next, &err), FIRN_E_VALIDATION, "removed by the same change");
}

static void test_replace_keeps_sequence(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(2, by_day, NULL), *next;
    firn_data_file a = data_file(t, "a", 10, 0, 100), b = data_file(t, "b", 10, 100, 50);
    firn_data_file both[] = {a, b};
    t = append(t, both, 2);
    int64_t start = t->current_snapshot->snapshot_id;
    firn_data_file eq = delete_file(t, "eq", 10, FIRN_CONTENT_EQUALITY_DELETES, 3);
    firn_snapshot_change delta = row_delta(&eq, 1, NULL, 0);
    t = commit(t, &delta);
    firn_data_file merged = data_file(t, "ab", 10, 0, 150);
    firn_snapshot_change replace = {
        .op = FIRN_SNAPSHOT_REPLACE,
        .added = &merged,
        .n_added = 1,
        .removed = both,
        .n_removed = 2,
        .validation = {.starting_snapshot_id = start, .no_new_deletes_for_removed = true}};
    MUST_FAIL(try_commit(t, &replace, &next, &err), FIRN_E_VALIDATION, "eq.parquet");
    replace.keeps_sequence_number = true;
    replace.data_sequence_number = 1;
    t = commit(t, &replace);
    size_t n;
    firn_scan_task *tasks = plan(t, NULL, &n, NULL);
    assert_int_equal(n, 1);
    assert_int_equal(tasks[0].data_sequence_number, 1);
    assert_int_equal(tasks[0].n_deletes, 1);
    firn_data_file more = data_file(t, "more", 10, 0, 200);
    replace = (firn_snapshot_change){.op = FIRN_SNAPSHOT_REPLACE,
                                     .added = &more,
                                     .n_added = 1,
                                     .removed = &merged,
                                     .n_removed = 1,
                                     .validation = unchecked};
    MUST_FAIL(try_commit(t, &replace, &next, &err), FIRN_E_INVALID, "must not change rows");
}

/* ---- conflicts ---- */

static void test_conflicts(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(2, by_day, NULL), *next;
    firn_data_file a = data_file(t, "a", 10, 0, 100), b = data_file(t, "b", 11, 100, 50);
    firn_data_file c = data_file(t, "c", 12, 200, 10), a2 = data_file(t, "a2", 10, 0, 90);
    t = append(t, &a, 1);
    int64_t start = t->current_snapshot->snapshot_id;
    t = append(t, &b, 1); /* meanwhile */
    firn_snapshot_change change = row_delta(&a2, 1, &a, 1);
    change.validation = (firn_snapshot_validation){
        .starting_snapshot_id = start,
        .conflict_filter = where(t, "{'type':'lt','term':'id','value':50}"),
        .no_new_data = true,
        .no_new_deletes = true,
        .no_deleted_data = true,
        .removed_must_exist = true,
    };
    commit(t, &change); /* b cannot hold such ids */
    change.validation.conflict_filter = where(t, "{'type':'lt','term':'id','value':101}");
    MUST_FAIL(try_commit(t, &change, &next, &err), FIRN_E_VALIDATION, "b.parquet");
    change.validation.conflict_filter = NULL;
    MUST_FAIL(try_commit(t, &change, &next, &err), FIRN_E_VALIDATION, "added meanwhile");
    change.validation.no_new_data = false;
    commit(t, &change);

    firn_data_file pos = delete_file(t, "pos", 10, FIRN_CONTENT_POSITION_DELETES, 2);
    firn_snapshot_change delta = row_delta(&pos, 1, NULL, 0);
    const firn_metadata *deleted = commit(t, &delta);
    MUST_FAIL(try_commit(deleted, &change, &next, &err), FIRN_E_VALIDATION, "pos.parquet");
    change.validation.conflict_filter =
        where(t, "{'type':'eq','term':'day','value':'1970-01-12'}"); /* another partition */
    commit(deleted, &change);

    firn_snapshot_change drop = row_delta(&c, 1, &b, 1);
    const firn_metadata *dropped = commit(t, &drop);
    change.validation.conflict_filter = NULL;
    MUST_FAIL(try_commit(dropped, &change, &next, &err), FIRN_E_VALIDATION, "removed meanwhile");

    change.validation.starting_snapshot_id = 4711;
    MUST_FAIL(try_commit(t, &change, &next, &err), FIRN_E_VALIDATION, "is gone");
}

/* New deletes that point into a file which was compacted away would be lost: always checked. */
static void test_deletes_of_removed_files(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(3, by_day, NULL), *next;
    firn_data_file a = data_file(t, "a", 10, 0, 100), a2 = data_file(t, "a2", 10, 0, 100);
    t = append(t, &a, 1);
    int64_t start = t->current_snapshot->snapshot_id;
    t = commit(t, &(firn_snapshot_change){.op = FIRN_SNAPSHOT_REPLACE,
                                          .added = &a2,
                                          .n_added = 1,
                                          .removed = &a,
                                          .n_removed = 1,
                                          .validation = unchecked});
    firn_data_file vector = vector_of(t, "v", &a, 4, 1);
    firn_snapshot_change change = row_delta(&vector, 1, NULL, 0);
    change.validation.starting_snapshot_id = start;
    MUST_FAIL(try_commit(t, &change, &next, &err), FIRN_E_VALIDATION, "a.parquet");
}

/* ---- branches and procedures ---- */

static void test_branches(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(2, by_day, NULL);
    firn_data_file a = data_file(t, "a", 10, 0, 100), b = data_file(t, "b", 11, 100, 50);
    t = append(t, &a, 1);
    int64_t main_id = t->current_snapshot->snapshot_id;
    t = commit(t, &(firn_snapshot_change){.op = FIRN_SNAPSHOT_APPEND,
                                          .added = &b,
                                          .n_added = 1,
                                          .branch = "audit",
                                          .validation = unchecked});
    assert_int_equal(t->current_snapshot->snapshot_id, main_id);
    const firn_snapshot_ref *ref = firn_metadata_ref(t, "audit");
    assert_non_null(ref);
    assert_int_equal(firn_metadata_snapshot(t, ref->snapshot_id)->parent_id, main_id);

    t = commit(t, &(firn_snapshot_change){.op = FIRN_SNAPSHOT_APPEND,
                                          .added = &b,
                                          .n_added = 1,
                                          .stage_only = true,
                                          .validation = unchecked});
    assert_int_equal(t->n_snapshots, 3);
    assert_int_equal(t->current_snapshot->snapshot_id, main_id);
}

static const firn_metadata *run_pick(const firn_metadata *t, int64_t id, const char *failure)
{
    json_t *updates = firn_json_own(arena, json_array());
    json_t *requirements = firn_json_own(arena, json_array());
    if (failure) {
        MUST_FAIL(firn_snapshot_cherry_pick(storage, NULL, arena, t, id, updates, requirements,
                                            &last_result, &err),
                  FIRN_E_VALIDATION, failure);
        return t;
    }
    MUST(firn_snapshot_cherry_pick(storage, NULL, arena, t, id, updates, requirements, &last_result,
                                   &err));
    return apply(t, updates, requirements);
}

static const firn_metadata *stage(const firn_metadata *t, const firn_data_file *file, bool replace,
                                  const char *summary, int64_t *id)
{
    t = commit(
        t, &(firn_snapshot_change){.op = replace ? FIRN_SNAPSHOT_OVERWRITE : FIRN_SNAPSHOT_APPEND,
                                   .added = file,
                                   .n_added = 1,
                                   .replace_partitions = replace,
                                   .stage_only = true,
                                   .summary_extra = json_of(summary),
                                   .validation = unchecked});
    *id = last_result.snapshot_id;
    return t;
}

static void test_cherry_pick(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(2, by_day, NULL);
    firn_data_file a = data_file(t, "a", 10, 0, 100), b = data_file(t, "b", 11, 100, 50);
    firn_data_file c = data_file(t, "c", 12, 150, 50), d = data_file(t, "d", 10, 0, 1);
    int64_t staged, twin, overwrite, forward;
    t = append(t, &a, 1);
    t = stage(t, &b, false, "{'wap.id': 'w1'}", &staged);
    t = stage(t, &b, false, "{'wap.id': 'w1'}", &twin);
    t = stage(t, &d, true, "{}", &overwrite);
    t = append(t, &c, 1);
    t = run_pick(t, staged, NULL);
    assert_string_equal(planned(t, NULL), "b,c,a");
    assert_string_equal(summary_of(t, "published-wap-id"), "w1");
    assert_string_equal(summary_of(t, "source-snapshot-id"),
                        firn_arena_printf(arena, "%" PRId64, staged));
    run_pick(t, staged, "picked it before");
    run_pick(t, twin, "published before");
    run_pick(t, t->current_snapshot->snapshot_id, "already in the table's history");

    t = run_pick(t, overwrite, NULL); /* partition 10 has not changed since */
    assert_string_equal(planned(t, NULL), "d,b,c");
    firn_data_file e = data_file(t, "e", 12, 0, 1), f = data_file(t, "f", 12, 0, 1);
    t = stage(t, &e, true, "{}", &overwrite);
    t = stage(t, &e, true, "{}", &forward);
    t = append(t, &f, 1);
    run_pick(t, overwrite, "f.parquet");

    firn_snapshot_change delta = row_delta(&e, 1, &f, 1);
    delta.stage_only = true;
    t = commit(t, &delta);
    forward = last_result.snapshot_id;
    t = run_pick(t, forward, NULL); /* its parent is the current snapshot */
    assert_int_equal(t->current_snapshot->snapshot_id, forward);
    delta = row_delta(&f, 1, &e, 1);
    delta.stage_only = true;
    t = commit(t, &delta);
    forward = last_result.snapshot_id;
    firn_data_file g = data_file(t, "g", 12, 0, 1);
    t = append(t, &g, 1);
    run_pick(t, forward, "only appends");
}

static void test_rollback(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(2, by_day, NULL);
    firn_data_file a = data_file(t, "a", 10, 0, 100), b = data_file(t, "b", 11, 100, 50);
    t = append(t, &a, 1);
    int64_t first = t->current_snapshot->snapshot_id;
    t = append(t, &b, 1);
    int64_t second = t->current_snapshot->snapshot_id;
    assert_true(firn_snapshot_is_ancestor(t, first, second));
    assert_false(firn_snapshot_is_ancestor(t, second, first));
    json_t *updates = firn_json_own(arena, json_array()),
           *reqs = firn_json_own(arena, json_array());
    MUST(firn_snapshot_rollback(arena, t, first, updates, reqs, &err));
    t = apply(t, updates, reqs);
    assert_string_equal(planned(t, NULL), "a");
    MUST_FAIL(firn_snapshot_rollback(arena, t, second, updates, reqs, &err), FIRN_E_VALIDATION,
              "no ancestor");
    MUST_FAIL(firn_snapshot_rollback(arena, t, 5, updates, reqs, &err), FIRN_E_NO_SNAPSHOT,
              "no snapshot 5");
    json_array_clear(updates);
    json_array_clear(reqs);
    MUST(firn_snapshot_set_current(arena, t, second, updates, reqs, &err));
    t = apply(t, updates, reqs);
    assert_string_equal(planned(t, NULL), "b,a");
}

static void test_replay_appends(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(3, by_day, NULL);
    firn_data_file a = data_file(t, "a", 10, 0, 100), b = data_file(t, "b", 11, 100, 50);
    firn_data_file c = data_file(t, "c", 12, 150, 50), d = data_file(t, "d", 12, 150, 50);
    const firn_metadata *common = append(t, &a, 1);
    const firn_metadata *ours = append(common, &b, 1);
    const firn_metadata *theirs = append(append(common, &c, 1), &d, 1);
    json_t *updates = firn_json_own(arena, json_array()),
           *reqs = firn_json_own(arena, json_array());
    int64_t id = common->current_snapshot->snapshot_id;
    MUST(firn_snapshot_replay_appends(storage, NULL, arena, ours, theirs, id, updates, reqs,
                                      &last_result, &err));
    ours = apply(ours, updates, reqs);
    assert_string_equal(planned(ours, NULL), "c,d,b,a");
    assert_string_equal(summary_of(ours, "total-records"), "250");
    const firn_snapshot *newest = theirs->current_snapshot;
    assert_string_equal(summary_of(ours, "firn.replayed-snapshots"),
                        firn_arena_printf(arena, "%lld,%lld", (long long)newest->parent_id,
                                          (long long)newest->snapshot_id));
    size_t n;
    firn_scan_task *tasks = plan(ours, NULL, &n, NULL);
    assert_int_equal(tasks[0].file->first_row_id, 150);

    /* Replayed once more they come to nothing; and theirs does not get its own files back from ours. */
    json_array_clear(updates);
    MUST(firn_snapshot_replay_appends(storage, NULL, arena, ours, theirs, id, updates, reqs,
                                      &last_result, &err));
    assert_true(last_result.empty);
    assert_int_equal(json_array_size(updates), 0);
    json_array_clear(reqs);
    MUST(firn_snapshot_replay_appends(storage, NULL, arena, theirs, ours, id, updates, reqs,
                                      &last_result, &err));
    assert_string_equal(planned(apply(theirs, updates, reqs), NULL), "b,d,c,a");
    json_array_clear(updates);
    json_array_clear(reqs);

    firn_snapshot_change change = row_delta(NULL, 0, &c, 1);
    theirs = commit(theirs, &change);
    MUST_FAIL(firn_snapshot_replay_appends(storage, NULL, arena, ours, theirs, id, updates, reqs,
                                           &last_result, &err),
              FIRN_E_VALIDATION, "only appends can be replayed");
}

/* A failed attempt leaves no file and no update behind. */
static void test_failure_cleans_up(void **state)
{
    (void)state;
    const firn_metadata *t = new_table(2, by_day, NULL);
    firn_data_file a = data_file(t, "a", 10, 0, 100), gone = data_file(t, "gone", 10, 0, 1);
    t = append(t, &a, 1);
    firn_storage_object *objects;
    size_t before, after;
    MUST(firn_storage_list(storage, arena, folder, &objects, &before, &err));
    firn_data_file removed[] = {a, gone};
    firn_snapshot_change change = row_delta(NULL, 0, removed, 2);
    change.validation.removed_must_exist = true;
    json_t *updates = firn_json_own(arena, json_array()),
           *reqs = firn_json_own(arena, json_array());
    MUST_FAIL(
        firn_snapshot_produce(storage, NULL, arena, t, &change, updates, reqs, &last_result, &err),
        FIRN_E_VALIDATION, "gone.parquet");
    MUST(firn_storage_list(storage, arena, folder, &objects, &after, &err));
    assert_int_equal(before, after);
    assert_int_equal(json_array_size(updates) + json_array_size(reqs), 0);

    change = row_delta(NULL, 0, &a, 1);
    MUST(
        firn_snapshot_produce(storage, NULL, arena, t, &change, updates, reqs, &last_result, &err));
    assert_int_equal(last_result.n_written, 2);
    firn_snapshot_discard(storage, &last_result);
    MUST(firn_storage_list(storage, arena, folder, &objects, &after, &err));
    assert_int_equal(before, after);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_append),
        TEST(test_empty_change),
        TEST(test_append_refuses),
        TEST(test_merges_small_manifests),
        TEST(test_large_append),
        TEST(test_overwrite_files),
        TEST(test_manifest_without_live_files_is_dropped),
        TEST(test_dynamic_overwrite),
        TEST(test_overwrite_everything),
        TEST(test_remove_matching),
        TEST(test_deletes_apply_by_sequence),
        TEST(test_vectors),
        TEST(test_replace_keeps_sequence),
        TEST(test_conflicts),
        TEST(test_deletes_of_removed_files),
        TEST(test_branches),
        TEST(test_cherry_pick),
        TEST(test_rollback),
        TEST(test_replay_appends),
        TEST(test_failure_cleans_up),
    };
    return cmocka_run_group_tests_name("snapshot", tests, NULL, NULL);
}

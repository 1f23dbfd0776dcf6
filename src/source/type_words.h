/* The words of texts that declare columns: what the little languages of columns.c and ksqldb_types.c have in common. Private to them. */
#ifndef SOURCE_TYPE_WORDS_H
#define SOURCE_TYPE_WORDS_H

#include "base/json.h"

typedef struct firn_type_text {
    firn_arena *arena;
    const char *text, *at;
    const char *what; /* the text is: "the columns" */
    firn_rc code;     /* of what is wrong with it */
    int depth;
    int records; /* each needs a name of its own */
    size_t columns;
    firn_err *err;
} firn_type_text;

/* Every node is the arena's, so that nothing leaks when the text turns out to be wrong; trees take references of their own. */
json_t *firn_type_keep(firn_type_text *p, json_t *json);
firn_rc firn_type_wrong(firn_type_text *p, const char *wanted);
void firn_type_skip_blanks(firn_type_text *p);
bool firn_type_take_char(firn_type_text *p, char c);
/* A keyword, in any case. */
bool firn_type_take_word(firn_type_text *p, const char *word);
firn_rc firn_type_parse_word(firn_type_text *p, const char *wanted, const char **out);
/* Between quotes, of which a doubled one stands for one. */
firn_rc firn_type_parse_quoted(firn_type_text *p, char quote, const char **out);
/* A word, or a name in backticks or double quotes. */
firn_rc firn_type_parse_name(firn_type_text *p, const char **out);
firn_rc firn_type_parse_number(firn_type_text *p, int *out);

#endif

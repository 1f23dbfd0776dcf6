/* Texts of the .proto files that schemas may import without bringing them along: google/type/ and confluent/. */
#ifndef FIRN_FORMAT_PROTO_IMPORTS_H
#define FIRN_FORMAT_PROTO_IMPORTS_H

/* NULL: none of that name. google/protobuf/ is libprotobuf's own. */
const char *firn_proto_builtin(const char *name);

#endif

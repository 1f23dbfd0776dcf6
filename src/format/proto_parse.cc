/* The one C++ file: .proto text through libprotobuf's parser and linker into the C structures of proto_parse.h.
 *
 * A schema may also come parsed: a FileDescriptorProto in base64. Serializers that have no .proto file at hand register that, and not
 * every registry makes text of it. Text always has a character that base64 has not.
 *
 * Nothing is read from disk: a source tree in memory answers for the file, its imports and those that libprotobuf carries itself.
 * Exceptions end here, also those that libprotobuf throws for a failed check. Everything C++ is gone when the call returns.
 */
extern "C" {
#include "proto_parse.h"
}

#include <google/protobuf/compiler/importer.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>
#include <google/protobuf/unknown_field_set.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <string>
#include <unordered_map>
#include <vector>

namespace
{

namespace pb = google::protobuf;

/* No import can have this name: it has no path's form. */
const char *const MAIN_FILE = "<schema>";

class memory_tree : public pb::compiler::SourceTree
{
  public:
    explicit memory_tree(const firn_proto_source *source) : source_(source)
    {
    }

    pb::io::ZeroCopyInputStream *Open(const std::string &name) override
    {
        if (name == MAIN_FILE)
            return stream(source_->text, strlen(source_->text));
        if (const char *text = source_->find(source_->ctx, name.c_str()))
            return stream(text, strlen(text));
        const pb::FileDescriptor *known = nullptr;
        if (name.compare(0, 16, "google/protobuf/") == 0)
            known = pb::DescriptorPool::generated_pool()->FindFileByName(name);
        if (!known)
            return nullptr;
        texts_.push_back(new std::string(known->DebugString()));
        return stream(texts_.back()->data(), texts_.back()->size());
    }

    std::string GetLastErrorMessage() override
    {
        return "there is no such file among the schema's references";
    }

    ~memory_tree() override
    {
        for (std::string *text : texts_)
            delete text;
    }

  private:
    static pb::io::ZeroCopyInputStream *stream(const char *text, size_t len)
    {
        return new pb::io::ArrayInputStream(text, static_cast<int>(len));
    }

    const firn_proto_source *source_;
    std::vector<std::string *> texts_;
};

/* Files as the linker asks for them: parsed ones are taken as they are, texts go through the parser. */
class schema_database : public pb::DescriptorDatabase
{
  public:
    schema_database(pb::DescriptorDatabase *texts, const firn_proto_source *source)
        : texts_(texts), source_(source)
    {
    }

    bool FindFileByName(const std::string &name, pb::FileDescriptorProto *out) override
    {
        const char *text =
            name == MAIN_FILE ? source_->text : source_->find(source_->ctx, name.c_str());
        if (!text || !unpack(text, out))
            return texts_->FindFileByName(name, out);
        came_parsed |= name == MAIN_FILE;
        out->set_name(name);
        return true;
    }

    bool FindFileContainingSymbol(const std::string &, pb::FileDescriptorProto *) override
    {
        return false;
    }

    bool FindFileContainingExtension(const std::string &, int, pb::FileDescriptorProto *) override
    {
        return false;
    }

    bool came_parsed = false; /* the main file */

  private:
    static bool unpack(const char *text, pb::FileDescriptorProto *out)
    {
        if (!*text || strpbrk(text, ";{\"'"))
            return false;
        size_t len;
        std::vector<uint8_t> bytes(strlen(text) / 4 * 3 + 2);
        return firn_proto_unpack(text, bytes.data(), &len) &&
               out->ParseFromArray(bytes.data(), static_cast<int>(len));
    }

    pb::DescriptorDatabase *texts_;
    const firn_proto_source *source_;
};

/* Keeps the first error: those that follow are mostly its children. */
class first_error : public pb::compiler::MultiFileErrorCollector
{
  public:
    void AddError(const std::string &file, int line, int column,
                  const std::string &message) override
    {
        if (!text.empty())
            return;
        if (file != MAIN_FILE)
            text = file + ", ";
        if (line >= 0)
            text += "line " + std::to_string(line + 1) + ", column " + std::to_string(column + 1) +
                    ": ";
        text += message;
    }

    std::string text;
};

struct too_large {
};

/* Copies descriptors, each once. Messages are entered at their first mention and filled from a list, so that neither depth nor
 * recursion of the types is depth of the stack. */
class copier
{
  public:
    copier(firn_arena *arena, const firn_proto_file *file) : arena_(arena), file_(file)
    {
    }

    firn_proto_message *message(const pb::Descriptor *from)
    {
        firn_proto_message *&slot = messages_[from];
        if (!slot) {
            if (order_.size() + enums_.size() >= FIRN_PROTO_MESSAGES_MAX)
                throw too_large();
            slot = FIRN_NEW(arena_, firn_proto_message);
            order_.push_back(from);
        }
        return slot;
    }

    void fill()
    {
        for (size_t i = 0; i < order_.size(); i++)
            fill_message(order_[i], messages_[order_[i]]);
    }

    firn_proto_message **all(size_t *n)
    {
        *n = order_.size();
        firn_proto_message **list = FIRN_NEW_N(arena_, firn_proto_message *, *n);
        for (size_t i = 0; i < *n; i++)
            list[i] = messages_[order_[i]];
        return list;
    }

  private:
    /* With a NUL behind it; a default may hold others. */
    char *copy(const std::string &text)
    {
        return static_cast<char *>(firn_arena_memdup(arena_, text.c_str(), text.size() + 1));
    }

    void count(int more)
    {
        fields_ += static_cast<size_t>(more);
        if (fields_ > FIRN_PROTO_FIELDS_MAX)
            throw too_large();
    }

    const firn_proto_enum *enumeration(const pb::EnumDescriptor *from)
    {
        firn_proto_enum *&slot = enums_[from];
        if (slot)
            return slot;
        if (order_.size() + enums_.size() > FIRN_PROTO_MESSAGES_MAX)
            throw too_large();
        count(from->value_count());
        std::vector<const pb::EnumValueDescriptor *> values;
        for (int i = 0; i < from->value_count(); i++)
            values.push_back(from->value(i));
        std::stable_sort(values.begin(), values.end(),
                         [](const pb::EnumValueDescriptor *a, const pb::EnumValueDescriptor *b) {
                             return a->number() < b->number();
                         });
        slot = FIRN_NEW(arena_, firn_proto_enum);
        slot->name = copy(from->full_name());
        auto *out = FIRN_NEW_N(arena_, firn_proto_enum_value, values.size());
        for (const pb::EnumValueDescriptor *value : values) {
            if (slot->n_values > 0 && out[slot->n_values - 1].number == value->number())
                continue;
            out[slot->n_values].name = copy(value->name());
            out[slot->n_values].number = value->number();
            slot->n_values++;
        }
        slot->values = out;
        return slot;
    }

    static firn_proto_well_known well_known(const pb::Descriptor *from)
    {
        static const struct {
            const char *name;
            firn_proto_well_known kind;
        } kinds[] = {
            {"google.protobuf.Timestamp", FIRN_PROTO_TIMESTAMP},
            {"google.protobuf.Duration", FIRN_PROTO_DURATION},
            {"google.protobuf.Struct", FIRN_PROTO_STRUCT},
            {"google.protobuf.Value", FIRN_PROTO_VALUE},
            {"google.protobuf.ListValue", FIRN_PROTO_LIST_VALUE},
            {"google.protobuf.Any", FIRN_PROTO_ANY},
            {"google.protobuf.FieldMask", FIRN_PROTO_FIELD_MASK},
            {"google.type.Date", FIRN_PROTO_DATE},
            {"google.type.TimeOfDay", FIRN_PROTO_TIME_OF_DAY},
            {"google.type.Decimal", FIRN_PROTO_DECIMAL},
            {"confluent.type.Decimal", FIRN_PROTO_CONFLUENT_DECIMAL},
            {"google.protobuf.DoubleValue", FIRN_PROTO_WRAPPER},
            {"google.protobuf.FloatValue", FIRN_PROTO_WRAPPER},
            {"google.protobuf.Int64Value", FIRN_PROTO_WRAPPER},
            {"google.protobuf.UInt64Value", FIRN_PROTO_WRAPPER},
            {"google.protobuf.Int32Value", FIRN_PROTO_WRAPPER},
            {"google.protobuf.UInt32Value", FIRN_PROTO_WRAPPER},
            {"google.protobuf.BoolValue", FIRN_PROTO_WRAPPER},
            {"google.protobuf.StringValue", FIRN_PROTO_WRAPPER},
            {"google.protobuf.BytesValue", FIRN_PROTO_WRAPPER},
        };
        for (const auto &kind : kinds) {
            if (from->full_name() != kind.name)
                continue;
            /* A schema may bring a type of that name with it that is another one. */
            if (kind.kind == FIRN_PROTO_WRAPPER &&
                (from->field_count() != 1 || from->field(0)->is_repeated() ||
                 from->field(0)->number() != 1 || from->field(0)->message_type() ||
                 from->field(0)->enum_type()))
                return FIRN_PROTO_PLAIN;
            return kind.kind;
        }
        return FIRN_PROTO_PLAIN;
    }

    void fill_message(const pb::Descriptor *from, firn_proto_message *out)
    {
        out->name = copy(from->full_name());
        out->file = file_;
        out->is_map_entry = from->options().map_entry();
        out->n_oneofs = from->real_oneof_decl_count();
        out->well_known = well_known(from);
        count(from->field_count());
        out->fields =
            FIRN_NEW_N(arena_, firn_proto_field, static_cast<size_t>(from->field_count()));
        for (int i = 0; i < from->field_count(); i++) {
            if (from->field(i)->type() != pb::FieldDescriptor::TYPE_GROUP)
                fill_field(from->field(i), &out->fields[out->n_fields++]);
        }
        out->by_number = FIRN_NEW_N(arena_, firn_proto_field *, out->n_fields);
        for (size_t i = 0; i < out->n_fields; i++)
            out->by_number[i] = &out->fields[i];
        std::sort(out->by_number, out->by_number + out->n_fields,
                  [](const firn_proto_field *a, const firn_proto_field *b) {
                      return a->number < b->number;
                  });
        size_t nested = static_cast<size_t>(from->nested_type_count());
        out->nested = FIRN_NEW_N(arena_, firn_proto_message *, nested);
        for (int i = 0; i < from->nested_type_count(); i++) {
            if (file_->counts_entries || !from->nested_type(i)->options().map_entry())
                out->nested[out->n_nested++] = message(from->nested_type(i));
        }
    }

    void fill_field(const pb::FieldDescriptor *from, firn_proto_field *out)
    {
        out->name = copy(from->name());
        out->json_name = copy(from->json_name());
        out->number = static_cast<uint32_t>(from->number());
        out->type = static_cast<firn_proto_type>(from->type());
        out->repeated = from->is_repeated();
        out->is_map = from->is_map();
        out->required = from->is_required();
        out->has_presence = from->has_presence();
        const pb::OneofDescriptor *oneof = from->real_containing_oneof();
        out->oneof = oneof ? oneof->index() : -1;
        if (from->message_type())
            out->message = message(from->message_type());
        if (from->enum_type())
            out->enumeration = enumeration(from->enum_type());
        fill_default(from, out);
        fill_decimal(from, out);
    }

    void fill_default(const pb::FieldDescriptor *from, firn_proto_field *out)
    {
        out->has_default = from->has_default_value();
        if (from->is_repeated())
            return;
        switch (from->cpp_type()) {
        case pb::FieldDescriptor::CPPTYPE_INT32:
            out->default_bits = static_cast<uint64_t>(int64_t{from->default_value_int32()});
            break;
        case pb::FieldDescriptor::CPPTYPE_INT64:
            out->default_bits = static_cast<uint64_t>(from->default_value_int64());
            break;
        case pb::FieldDescriptor::CPPTYPE_UINT32:
            out->default_bits = from->default_value_uint32();
            break;
        case pb::FieldDescriptor::CPPTYPE_UINT64:
            out->default_bits = from->default_value_uint64();
            break;
        case pb::FieldDescriptor::CPPTYPE_BOOL:
            out->default_bits = from->default_value_bool();
            break;
        case pb::FieldDescriptor::CPPTYPE_ENUM:
            out->default_bits =
                static_cast<uint64_t>(int64_t{from->default_value_enum()->number()});
            break;
        case pb::FieldDescriptor::CPPTYPE_FLOAT: {
            float value = from->default_value_float();
            memcpy(&out->default_bits, &value, sizeof value);
            break;
        }
        case pb::FieldDescriptor::CPPTYPE_DOUBLE: {
            double value = from->default_value_double();
            memcpy(&out->default_bits, &value, sizeof value);
            break;
        }
        case pb::FieldDescriptor::CPPTYPE_STRING:
            out->default_text = copy(from->default_value_string());
            out->default_len = from->default_value_string().size();
            break;
        case pb::FieldDescriptor::CPPTYPE_MESSAGE: break;
        }
    }

    /* Confluent's converters write a decimal's precision and scale as an option:
     *     [(confluent.field_meta) = {params: [{key: "precision" value: "10"}, {key: "scale" value: "2"}]}]
     * The linker leaves it in the options as the bytes of extension 1088. */
    static void fill_decimal(const pb::FieldDescriptor *from, firn_proto_field *out)
    {
        enum { FIELD_META = 1088, PARAMS = 2, KEY = 1, VALUE = 2 };
        const pb::UnknownFieldSet &options = from->options().unknown_fields();
        for (int i = 0; i < options.field_count(); i++) {
            pb::UnknownFieldSet meta;
            if (!unpack(options.field(i), FIELD_META, &meta))
                continue;
            for (int j = 0; j < meta.field_count(); j++) {
                pb::UnknownFieldSet pair;
                if (!unpack(meta.field(j), PARAMS, &pair))
                    continue;
                std::string key, value;
                for (int k = 0; k < pair.field_count(); k++) {
                    const pb::UnknownField &item = pair.field(k);
                    if (item.type() == pb::UnknownField::TYPE_LENGTH_DELIMITED)
                        (item.number() == KEY ? key : value) = item.length_delimited();
                }
                if (key == "precision")
                    out->precision = small_number(value);
                else if (key == "scale")
                    out->scale = small_number(value);
            }
        }
        if (out->precision < 1 || out->precision > 38 || out->scale < 0 ||
            out->scale > out->precision)
            out->precision = 0;
    }

    static bool unpack(const pb::UnknownField &field, int number, pb::UnknownFieldSet *out)
    {
        return field.number() == number &&
               field.type() == pb::UnknownField::TYPE_LENGTH_DELIMITED &&
               out->ParseFromString(field.length_delimited());
    }

    static int32_t small_number(const std::string &text)
    {
        if (text.empty() || text.size() > 2)
            return -1;
        int32_t number = 0;
        for (char c : text) {
            if (c < '0' || c > '9')
                return -1;
            number = number * 10 + (c - '0');
        }
        return number;
    }

    firn_arena *arena_;
    const firn_proto_file *file_;
    std::unordered_map<const pb::Descriptor *, firn_proto_message *> messages_;
    std::unordered_map<const pb::EnumDescriptor *, firn_proto_enum *> enums_;
    std::vector<const pb::Descriptor *> order_;
    size_t fields_ = 0;
};

firn_rc parse(firn_arena *arena, const firn_proto_source *source, firn_proto_file **out,
              firn_err *err)
{
    pb::LogSilencer silence;
    memory_tree tree(source);
    first_error error;
    pb::compiler::SourceTreeDescriptorDatabase texts(&tree);
    texts.RecordErrorsTo(&error);
    schema_database files(&texts, source);
    pb::DescriptorPool pool(&files, texts.GetValidationErrorCollector());
    pool.EnforceWeakDependencies(true);
    const pb::FileDescriptor *from = pool.FindFileByName(MAIN_FILE);
    if (!from) {
        FIRN_FAIL(err, FIRN_E_SYNTAX, "Protobuf schema: %s",
                  error.text.empty() ? "it does not parse" : error.text.c_str());
    }
    firn_proto_file *file = FIRN_NEW(arena, firn_proto_file);
    file->counts_entries = files.came_parsed;
    copier copies(arena, file);
    file->n_messages = static_cast<size_t>(from->message_type_count());
    file->messages = FIRN_NEW_N(arena, firn_proto_message *, file->n_messages);
    for (int i = 0; i < from->message_type_count(); i++)
        file->messages[i] = copies.message(from->message_type(i));
    copies.fill();
    file->all = copies.all(&file->n_all);
    *out = file;
    return FIRN_OK;
}

} // namespace

extern "C" firn_rc firn_proto_parse_source(firn_arena *arena, const firn_proto_source *source,
                                           firn_proto_file **out, firn_err *err)
{
    try {
        return parse(arena, source, out, err);
    } catch (const too_large &) {
        FIRN_FAIL(err, FIRN_E_LIMIT,
                  "Protobuf schema: more than %d message types or %d fields and enum values",
                  FIRN_PROTO_MESSAGES_MAX, FIRN_PROTO_FIELDS_MAX);
    } catch (const std::exception &problem) {
        FIRN_FAIL(err, FIRN_E_SYNTAX, "Protobuf schema: %s", problem.what());
    } catch (...) {
        FIRN_FAIL(err, FIRN_E_INTERNAL, "Protobuf schema: its parser failed");
    }
}

"""Prints ``buf/validate/validate.proto`` from the descriptor that the protovalidate wheel bundles.

The wheel ships no ``.proto`` file and the schema's registry is not always reachable, while buf and protoc need one to
read the rules in our contract. What is printed has the same descriptor, comments apart.
"""

from __future__ import annotations

from google.protobuf import descriptor_pb2, descriptor_pool, text_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_TYPES = {
    value: name.removeprefix("TYPE_").lower()
    for name, value in descriptor_pb2.FieldDescriptorProto.Type.items()
    if name not in ("TYPE_MESSAGE", "TYPE_ENUM", "TYPE_GROUP")
}


def validate_proto() -> str:
    """Returns the text of ``buf/validate/validate.proto``."""
    from protovalidate._gen.buf.validate import validate_pb

    raw = validate_pb.desc().proto.to_binary()
    # Registered first: only then are the extensions in its own options known when it is read.
    for dependency in ("descriptor", "duration", "field_mask", "timestamp"):
        __import__(f"google.protobuf.{dependency}_pb2")
    descriptor_pool.Default().AddSerializedFile(raw)
    return _file(descriptor_pb2.FileDescriptorProto.FromString(raw))


def _file(file: descriptor_pb2.FileDescriptorProto) -> str:
    lines = [f'syntax = "{file.syntax or "proto2"}";', f"package {file.package};"]
    lines += [f'import "{name}";' for name in file.dependency]
    lines += [f"option {option};" for option in _options(file.options)]
    for enum in file.enum_type:
        lines += _enum(enum)
    for message in file.message_type:
        lines += _message(message)
    for extension in file.extension:
        lines += [f"extend {extension.extendee} {{", *_field(extension), "}"]
    return "\n".join(lines) + "\n"


def _options(options: Message) -> list[str]:
    """Each set option as ``name = value``; extensions in parentheses."""
    found = []
    for field, value in options.ListFields():
        name = f"({field.full_name})" if field.is_extension else field.name
        if field.message_type is not None:
            text = "{" + text_format.MessageToString(value, as_one_line=True) + "}"
        elif field.enum_type is not None:
            text = field.enum_type.values_by_number[value].name
        elif field.type == FieldDescriptor.TYPE_STRING:
            text = '"' + text_format.text_encoding.CEscape(value, as_utf8=True) + '"'
        elif field.type == FieldDescriptor.TYPE_BOOL:
            text = "true" if value else "false"
        else:
            text = str(value)
        found.append(f"{name} = {text}")
    return found


def _bracketed(options: list[str]) -> str:
    return f" [{', '.join(options)}]" if options else ""


def _enum(enum: descriptor_pb2.EnumDescriptorProto) -> list[str]:
    lines = [f"enum {enum.name} {{"]
    lines += [f"option {option};" for option in _options(enum.options)]
    # An enum's reserved range includes its end, unlike a message's.
    lines += [f"reserved {r.start} to {r.end};" for r in enum.reserved_range]
    lines += [f'reserved "{name}";' for name in enum.reserved_name]
    lines += [f"{v.name} = {v.number}{_bracketed(_options(v.options))};" for v in enum.value]
    return [*lines, "}"]


def _field(field: descriptor_pb2.FieldDescriptorProto, *, in_oneof: bool = False) -> list[str]:
    kind = field.type_name or _TYPES[field.type]
    label = "" if in_oneof else {1: "optional ", 2: "required ", 3: "repeated "}[field.label]
    options = _options(field.options)
    if field.HasField("default_value"):
        quoted = f'"{field.default_value}"' if field.type == field.TYPE_STRING else field.default_value
        options.insert(0, f"default = {quoted}")
    return [f"{label}{kind} {field.name} = {field.number}{_bracketed(options)};"]


def _message(message: descriptor_pb2.DescriptorProto) -> list[str]:
    lines = [f"message {message.name} {{"]
    lines += [f"option {option};" for option in _options(message.options)]
    lines += [f"reserved {r.start} to {r.end - 1};" for r in message.reserved_range]
    lines += [f'reserved "{name}";' for name in message.reserved_name]
    for extension_range in message.extension_range:
        end = "max" if extension_range.end > 536870911 else str(extension_range.end - 1)
        lines.append(f"extensions {extension_range.start} to {end}{_bracketed(_options(extension_range.options))};")
    for enum in message.enum_type:
        lines += _enum(enum)
    for nested in message.nested_type:
        lines += _message(nested)
    printed: set[int] = set()
    for field in message.field:
        if not field.HasField("oneof_index"):
            lines += _field(field)
        elif field.oneof_index not in printed:
            printed.add(field.oneof_index)
            oneof = message.oneof_decl[field.oneof_index]
            lines.append(f"oneof {oneof.name} {{")
            lines += [f"option {option};" for option in _options(oneof.options)]
            for member in message.field:
                if member.HasField("oneof_index") and member.oneof_index == field.oneof_index:
                    lines += _field(member, in_oneof=True)
            lines.append("}")
    for extension in message.extension:
        lines += [f"extend {extension.extendee} {{", *_field(extension), "}"]
    return [*lines, "}"]

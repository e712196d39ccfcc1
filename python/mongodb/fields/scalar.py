# SPDX-License-Identifier: Apache-2.0
"""Fields that hold one value."""

from __future__ import annotations

import decimal
import enum
import re
import uuid
from collections.abc import Iterable
from typing import Any

from bson import Binary, Decimal128, Int64, ObjectId
from bson.errors import InvalidId

from mongodb.errors import ValidationError
from mongodb.fields.base_field import _INF, BaseField, RegexMixin

__all__ = [
    "BinaryField",
    "BooleanField",
    "Decimal128Field",
    "DecimalField",
    "EmailField",
    "EnumField",
    "FloatField",
    "IntField",
    "LongField",
    "ObjectIdField",
    "StringField",
    "URLField",
    "UUIDField",
]

STRING_OPERATORS = frozenset(
    "contains icontains startswith istartswith endswith iendswith exact iexact regex iregex "
    "wholeword iwholeword".split()
)
_PATTERNS = {
    "contains": "{}",
    "startswith": "^{}",
    "endswith": "{}$",
    "exact": "^{}$",
    "wholeword": r"\b{}\b",
}


def string_pattern(op: str, value: str) -> re.Pattern[str]:
    """Return the regular expression that a string operator stands for."""
    flags = 0
    if op[0] == "i":
        op, flags = op[1:], re.IGNORECASE
    if op == "regex":
        return re.compile(value, flags)
    return re.compile(_PATTERNS[op].format(re.escape(value)), flags)


class StringField(BaseField):
    """Text."""

    kind = "string"

    def __init__(
        self,
        regex: str | re.Pattern[str] | None = None,
        max_length: int | None = None,
        min_length: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.regex = RegexMixin.compile(regex)
        self.max_length = max_length
        self.min_length = min_length
        super().__init__(**kwargs)

    def _limits(self) -> tuple[float, float]:
        low = -_INF if self.min_length is None else self.min_length
        return low, _INF if self.max_length is None else self.max_length

    def _checks_in_python(self) -> bool:
        return self.regex is not None or super()._checks_in_python()

    def to_python(self, value: Any) -> Any:
        if isinstance(value, bytes):
            try:
                return value.decode("utf-8")
            except UnicodeDecodeError:
                return value
        return value

    def validate(self, value: Any, clean: bool = True) -> None:
        if not isinstance(value, str):
            self.error(f"must be a string, not {type(value).__name__}")
        if self.max_length is not None and len(value) > self.max_length:
            self.error(f"must have at most {self.max_length} characters, has {len(value)}")
        if self.min_length is not None and len(value) < self.min_length:
            self.error(f"must have at least {self.min_length} characters, has {len(value)}")
        if self.regex is not None and self.regex.match(value) is None:
            self.error(f"must match the pattern {self.regex.pattern!r}")

    def prepare_query_value(self, op: str | None, value: Any) -> Any:
        if not isinstance(op, str) or op not in STRING_OPERATORS:
            return super().prepare_query_value(op, value)
        if isinstance(value, re.Pattern):
            return value
        return string_pattern(op, str(value))


class URLField(StringField):
    """An address with a scheme and a host."""

    _URL_REGEX = re.compile(
        r"^(?P<scheme>[a-z][a-z0-9+.\-]*)://"
        r"(?:[^\s/@]+@)?"
        r"(?:[a-z0-9](?:[a-z0-9\-_]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9\-_]{0,61}[a-z0-9])?)*\.?"
        r"|\[[0-9a-f:.]+\])"
        r"(?::\d{1,5})?(?:[/?#]\S*)?$",
        re.IGNORECASE,
    )
    _URL_SCHEMES = ("http", "https", "ftp", "ftps")

    def __init__(
        self,
        url_regex: re.Pattern[str] | None = None,
        schemes: Iterable[str] | None = None,
        **kwargs: Any,
    ) -> None:
        self.url_regex = url_regex or self._URL_REGEX
        self.schemes = list(schemes or self._URL_SCHEMES)
        super().__init__(**kwargs)

    def validate(self, value: Any, clean: bool = True) -> None:
        super().validate(value)
        if value.split("://", 1)[0].lower() not in self.schemes:
            self.error(
                f"must be a URL that starts with {' or '.join(s + '://' for s in self.schemes)}"
            )
        if not self.url_regex.match(value):
            self.error(f"must be a URL such as https://example.com/page, not {value!r}")


class EmailField(StringField):
    """An e-mail address."""

    kind = "string"
    _address = True
    USER_REGEX = re.compile(
        r"""^(?:[-!#$%&'*+/=?^_`{}|~0-9A-Z]+(?:\.[-!#$%&'*+/=?^_`{}|~0-9A-Z]+)*"""
        r"""|"(?:[\x01-\x08\x0b\x0c\x0e-\x1f!#-\[\]-\x7f]|\\[\x01-\x09\x0b\x0c\x0e-\x7f])*")\Z""",
        re.IGNORECASE,
    )
    UTF8_USER_REGEX = re.compile(r"^[^\s@\"(),:;<>\[\]\\]+\Z")
    DOMAIN_REGEX = re.compile(
        r"^(?:[A-Z0-9](?:[A-Z0-9-]{0,61}[A-Z0-9])?\.)+(?:[A-Z0-9-]{2,63}(?<!-))\Z", re.IGNORECASE
    )
    error_msg = "must be an e-mail address such as name@example.com, not {!r}"

    def __init__(
        self,
        domain_whitelist: Iterable[str] | None = None,
        allow_utf8_user: bool = False,
        allow_ip_domain: bool = False,
        **kwargs: Any,
    ) -> None:
        self.domain_whitelist = list(domain_whitelist or ())
        self.allow_utf8_user = allow_utf8_user
        self.allow_ip_domain = allow_ip_domain
        super().__init__(**kwargs)

    def _checks_in_python(self) -> bool:
        # C takes addresses that these rules take, and leaves all others to them
        rules = (
            "USER_REGEX",
            "UTF8_USER_REGEX",
            "DOMAIN_REGEX",
            "validate_user_part",
            "validate_domain_part",
        )
        own = any(getattr(type(self), name) is not getattr(EmailField, name) for name in rules)
        return own or super()._checks_in_python()

    def validate_user_part(self, user_part: str) -> bool:
        """Tell whether the part before the @ is good."""
        regex = self.UTF8_USER_REGEX if self.allow_utf8_user else self.USER_REGEX
        return regex.match(user_part) is not None

    def validate_domain_part(self, domain_part: str) -> bool:
        """Tell whether the part after the @ is good."""
        if domain_part in self.domain_whitelist or self.DOMAIN_REGEX.match(domain_part):
            return True
        if self.allow_ip_domain and domain_part[:1] == "[" and domain_part[-1:] == "]":
            import ipaddress

            try:
                ipaddress.ip_address(domain_part[1:-1].removeprefix("IPv6:"))
            except ValueError:
                return False
            return True
        return False

    def validate(self, value: Any, clean: bool = True) -> None:
        super().validate(value)
        user, at, domain = value.rpartition("@")
        if not at or not self.validate_user_part(user):
            self.error(self.error_msg.format(value))
        if not self.validate_domain_part(domain):
            try:
                domain = domain.encode("idna").decode("ascii")
            except UnicodeError:
                self.error(self.error_msg.format(value))
            if not self.validate_domain_part(domain):
                self.error(self.error_msg.format(value))


class _Number(BaseField):
    def __init__(self, min_value: Any = None, max_value: Any = None, **kwargs: Any) -> None:
        self.min_value, self.max_value = min_value, max_value
        super().__init__(**kwargs)

    def _limits(self) -> tuple[float, float]:
        low = -_INF if self.min_value is None else float(self.min_value)
        return low, _INF if self.max_value is None else float(self.max_value)

    def _validate_limits(self, value: Any) -> None:
        if isinstance(value, decimal.Decimal) and value.is_nan():
            if self.min_value is not None or self.max_value is not None:
                self.error("must be a number within limits, is NaN")
            return
        if self.min_value is not None and value < self.min_value:
            self.error(f"must be at least {self.min_value}, is {value}")
        if self.max_value is not None and value > self.max_value:
            self.error(f"must be at most {self.max_value}, is {value}")


class IntField(_Number):
    """A whole number of up to 64 bits."""

    kind = "int"

    def to_python(self, value: Any) -> Any:
        try:
            return int(value)
        except (TypeError, ValueError, OverflowError):
            return value

    def validate(self, value: Any, clean: bool = True) -> None:
        try:
            value = int(value)
        except (TypeError, ValueError, OverflowError):
            self.error(f"must be a whole number, not {value!r}")
        if not -(2**63) <= value < 2**63:
            self.error("must fit 64 bits")
        self._validate_limits(value)

    def prepare_query_value(self, op: str | None, value: Any) -> Any:
        if value is None or isinstance(value, (float, Decimal128)):
            return value
        try:
            value = int(value)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"a whole number is needed, not {value!r}") from None
        if not -(2**63) <= value < 2**63:
            raise ValueError("a whole number of 64 bits is needed")
        return super().prepare_query_value(op, value)


class LongField(IntField):
    """A whole number that is always stored with 64 bits."""

    kind = "long"

    def to_mongo(self, value: Any) -> Any:
        value = self.to_python(value)
        return Int64(value) if isinstance(value, int) else value


class FloatField(_Number):
    """A floating point number."""

    kind = "float"

    def to_python(self, value: Any) -> Any:
        try:
            return float(value.to_decimal() if isinstance(value, Decimal128) else value)
        except (TypeError, ValueError, OverflowError):
            return value

    def validate(self, value: Any, clean: bool = True) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            try:
                value = float(value)
            except (TypeError, ValueError, OverflowError):
                self.error(f"must be a number, not {value!r}")
        elif isinstance(value, int):
            try:
                float(value)
            except OverflowError:
                self.error("is too large for a floating point number")
        self._validate_limits(value)

    def prepare_query_value(self, op: str | None, value: Any) -> Any:
        try:
            return (
                None
                if value is None
                else super().prepare_query_value(op, float(self.to_python(value)))
            )
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"a number is needed, not {value!r}") from None


class DecimalField(_Number):
    """An exact decimal number, stored as Decimal128 (with `force_string`, as text).

    `max_digits` and `decimal_places` refuse what does not fit; `precision` rounds. Doubles and
    strings that others stored are read as well.
    """

    kind = "decimal"

    def __init__(
        self,
        min_value: Any = None,
        max_value: Any = None,
        force_string: bool = False,
        precision: int | None = None,
        rounding: str = decimal.ROUND_HALF_UP,
        max_digits: int | None = None,
        decimal_places: int | None = None,
        **kwargs: Any,
    ) -> None:
        self.force_string = force_string
        self.precision = precision
        self.rounding = rounding
        self.max_digits = max_digits
        self.decimal_places = decimal_places
        super().__init__(min_value=min_value, max_value=max_value, **kwargs)

    def _limits(self) -> tuple[float, float]:
        low, high = super()._limits()
        rounds = self.precision is not None and low == -_INF and high == _INF
        return (low, 1.7e308) if rounds else (low, high)

    def _decimal(self, value: Any) -> decimal.Decimal:
        if isinstance(value, decimal.Decimal):
            return value
        if isinstance(value, Decimal128):
            return value.to_decimal()
        return decimal.Decimal(str(value))

    def to_python(self, value: Any) -> Any:
        if value is None or isinstance(value, bool):
            return value
        try:
            number = self._decimal(value)
            if self.precision is not None and number.is_finite():
                unit = decimal.Decimal(1).scaleb(-self.precision)
                return number.quantize(unit, rounding=self.rounding)
            return number
        except (decimal.InvalidOperation, ValueError):
            return value

    def to_mongo(self, value: Any) -> Any:
        value = self.to_python(value)
        if not isinstance(value, decimal.Decimal):
            return value
        return str(value) if self.force_string else Decimal128(value)

    def validate(self, value: Any, clean: bool = True) -> None:
        number = self.to_python(value)
        if not isinstance(number, decimal.Decimal):
            self.error(f"must be a decimal number, not {value!r}")
        if number.is_finite():
            digits, exponent = number.as_tuple()[1:]
            places = max(0, -int(exponent))
            whole = max(len(digits) + int(exponent), 0)
            if self.decimal_places is not None and places > self.decimal_places:
                self.error(f"must have at most {self.decimal_places} decimal places, has {places}")
            if self.max_digits is not None and whole + places > self.max_digits:
                self.error(f"must have at most {self.max_digits} digits, has {whole + places}")
            room = self.max_digits is not None and self.decimal_places is not None
            if room and whole > self.max_digits - self.decimal_places:  # type: ignore[operator]
                self.error(
                    f"must have at most {self.max_digits - self.decimal_places} "  # type: ignore[operator]
                    "digits before the decimal point"
                )
            if len(digits) > 34:
                self.error("must have at most 34 digits")
            if not self.force_string:
                try:
                    Decimal128(number)
                except decimal.DecimalException:
                    self.error("must have an exponent from -6176 to 6111")
        self._validate_limits(number)

    def prepare_query_value(self, op: str | None, value: Any) -> Any:
        number = self.to_python(value)
        if value is not None and not isinstance(number, decimal.Decimal):
            raise ValueError(f"a decimal number is needed, not {value!r}")
        return None if value is None else self.to_mongo(number)


class Decimal128Field(_Number):
    """A decimal number that is stored and read as Decimal128."""

    kind = "python"
    DECIMAL_CONTEXT = decimal.Context(prec=34)

    def to_python(self, value: Any) -> Any:
        if value is None or isinstance(value, Decimal128):
            return value
        try:
            return Decimal128(decimal.Decimal(value))
        except (TypeError, ValueError, ArithmeticError):
            return value

    def to_mongo(self, value: Any) -> Any:
        return self.to_python(value)

    def validate(self, value: Any, clean: bool = True) -> None:
        try:
            number = self.to_python(value).to_decimal()
        except (TypeError, ValueError, AttributeError, ArithmeticError):
            self.error(f"must be a decimal number of at most 34 digits, not {value!r}")
        self._validate_limits(number)

    def prepare_query_value(self, op: str | None, value: Any) -> Any:
        number = self.to_python(value)
        if value is not None and not isinstance(number, Decimal128):
            raise ValueError(f"a decimal number of at most 34 digits is needed, not {value!r}")
        return number


class BooleanField(BaseField):
    """True or False."""

    kind = "bool"

    def to_python(self, value: Any) -> Any:
        try:
            return bool(value)
        except (TypeError, ValueError):
            return value

    def validate(self, value: Any, clean: bool = True) -> None:
        if not isinstance(value, bool):
            self.error(f"must be True or False, not {value!r}")

    def prepare_query_value(self, op: str | None, value: Any) -> Any:
        if isinstance(value, str) and value.lower() in ("0", "false", "f"):  # as addresses have it
            return False
        return super().prepare_query_value(op, value)


class BinaryField(BaseField):
    """Bytes."""

    kind = "binary"

    def __init__(self, max_bytes: int | None = None, **kwargs: Any) -> None:
        self.max_bytes = max_bytes
        super().__init__(**kwargs)

    def _limits(self) -> tuple[float, float]:
        return -_INF, _INF if self.max_bytes is None else self.max_bytes

    def to_python(self, value: Any) -> Any:
        return bytes(value) if isinstance(value, (bytearray, memoryview)) else value

    def to_mongo(self, value: Any) -> Any:
        return value if isinstance(value, Binary) else Binary(bytes(memoryview(value)))

    def validate(self, value: Any, clean: bool = True) -> None:
        if not isinstance(value, (bytes, bytearray, memoryview)):
            self.error(f"must be bytes, not {type(value).__name__}")
        if self.max_bytes is not None and len(value) > self.max_bytes:
            self.error(f"must have at most {self.max_bytes} bytes, has {len(value)}")

    def prepare_query_value(self, op: str | None, value: Any) -> Any:
        return None if value is None else self.to_mongo(value)


class ObjectIdField(BaseField):
    """An ObjectId."""

    kind = "objectid"

    def to_python(self, value: Any) -> Any:
        if isinstance(value, ObjectId) or value is None:
            return value
        try:
            return ObjectId(str(value))
        except InvalidId:
            return value

    def to_mongo(self, value: Any) -> Any:
        if isinstance(value, ObjectId):
            return value
        try:
            return ObjectId(str(getattr(value, "pk", value)))
        except InvalidId:
            return self.error(f"must be an ObjectId (24 hex digits), not {value!r}")

    def validate(self, value: Any, clean: bool = True) -> None:
        if not isinstance(value, ObjectId):
            self.to_mongo(value)

    def prepare_query_value(self, op: str | None, value: Any) -> Any:
        return None if value is None else self.to_mongo(value)


class UUIDField(BaseField):
    """A UUID, stored as binary (with `binary=False`, as text)."""

    kind = "uuid"

    def __init__(self, binary: bool = True, **kwargs: Any) -> None:
        self._binary = binary
        super().__init__(**kwargs)

    def to_python(self, value: Any) -> Any:
        if isinstance(value, uuid.UUID) or value is None:
            return value
        try:
            return (
                uuid.UUID(bytes=bytes(value)) if isinstance(value, bytes) else uuid.UUID(str(value))
            )
        except ValueError:
            return value

    def to_mongo(self, value: Any) -> Any:
        value = self.to_python(value)
        if not isinstance(value, uuid.UUID):
            return value
        return Binary(value.bytes, 4) if self._binary else str(value)

    def validate(self, value: Any, clean: bool = True) -> None:
        if not isinstance(self.to_python(value), uuid.UUID):
            self.error(f"must be a UUID, not {value!r}")

    def prepare_query_value(self, op: str | None, value: Any) -> Any:
        if value is not None and not isinstance(self.to_python(value), uuid.UUID):
            raise ValueError(f"a UUID is needed, not {value!r}")
        return None if value is None else self.to_mongo(value)


class EnumField(BaseField):
    """A member of an Enum, stored as its value."""

    kind = "python"
    _members = True

    def __init__(self, enum: type[enum.Enum], **kwargs: Any) -> None:
        self._enum_cls = enum
        if kwargs.get("choices"):
            bad = [choice for choice in kwargs["choices"] if not isinstance(choice, enum)]
            if bad:
                raise ValueError(f"Invalid choices: they are members of {enum.__name__}, not {bad}")
        else:
            kwargs["choices"] = list(enum)
        super().__init__(**kwargs)

    def to_python(self, value: Any) -> Any:
        if value is None or isinstance(value, self._enum_cls):
            return value
        try:
            return self._enum_cls(value)
        except ValueError:
            return value

    def to_mongo(self, value: Any) -> Any:
        return value.value if isinstance(value, enum.Enum) else value

    def validate(self, value: Any, clean: bool = True) -> None:
        if not isinstance(value, self._enum_cls):
            try:
                self._enum_cls(value)
            except ValueError as error:
                raise ValidationError(str(error), field_name=self.name) from error

    def _validate_choices(self, value: Any) -> None:
        super()._validate_choices(self.to_python(value))

    def prepare_query_value(self, op: str | None, value: Any) -> Any:
        return None if value is None else self.to_mongo(value)

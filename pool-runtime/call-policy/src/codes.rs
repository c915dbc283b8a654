use std::fmt;
use std::ops::BitOr;

/// A set of gRPC status codes: `Codes::UNAVAILABLE | Codes::ABORTED`.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Codes(u32);

/// The names of the codes, each at its number.
const NAMES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];

impl Codes {
    /// No code.
    pub const NONE: Self = Self(0);
    /// `CANCELLED` alone.
    pub const CANCELLED: Self = Self(1 << 1);
    /// `UNKNOWN` alone.
    pub const UNKNOWN: Self = Self(1 << 2);
    /// `INVALID_ARGUMENT` alone.
    pub const INVALID_ARGUMENT: Self = Self(1 << 3);
    /// `DEADLINE_EXCEEDED` alone.
    pub const DEADLINE_EXCEEDED: Self = Self(1 << 4);
    /// `NOT_FOUND` alone.
    pub const NOT_FOUND: Self = Self(1 << 5);
    /// `ALREADY_EXISTS` alone.
    pub const ALREADY_EXISTS: Self = Self(1 << 6);
    /// `PERMISSION_DENIED` alone.
    pub const PERMISSION_DENIED: Self = Self(1 << 7);
    /// `RESOURCE_EXHAUSTED` alone.
    pub const RESOURCE_EXHAUSTED: Self = Self(1 << 8);
    /// `FAILED_PRECONDITION` alone.
    pub const FAILED_PRECONDITION: Self = Self(1 << 9);
    /// `ABORTED` alone.
    pub const ABORTED: Self = Self(1 << 10);
    /// `OUT_OF_RANGE` alone.
    pub const OUT_OF_RANGE: Self = Self(1 << 11);
    /// `UNIMPLEMENTED` alone.
    pub const UNIMPLEMENTED: Self = Self(1 << 12);
    /// `INTERNAL` alone.
    pub const INTERNAL: Self = Self(1 << 13);
    /// `UNAVAILABLE` alone: what says that another attempt may fare better, and nothing else does.
    pub const UNAVAILABLE: Self = Self(1 << 14);
    /// `DATA_LOSS` alone.
    pub const DATA_LOSS: Self = Self(1 << 15);
    /// `UNAUTHENTICATED` alone.
    pub const UNAUTHENTICATED: Self = Self(1 << 16);

    /// The set with these bits: bit `n` is the code `n`.
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits & ((1 << NAMES.len()) - 1))
    }

    /// Bit `n` is the code `n`.
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// The set with the code of this number as well; a number that is no code changes nothing.
    #[must_use]
    pub const fn with(self, code: u8) -> Self {
        if (code as usize) < NAMES.len() {
            Self(self.0 | 1 << code)
        } else {
            self
        }
    }

    /// Whether the code of this number is in the set.
    pub const fn contains(self, code: i32) -> bool {
        code >= 0 && code < NAMES.len() as i32 && self.0 & (1 << code) != 0
    }

    /// Whether no code is in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The number of the code with this name, in gRPC's spelling (`UNAVAILABLE`), whatever the case.
    pub fn number(name: &str) -> Option<u8> {
        let index = NAMES.iter().position(|known| known.eq_ignore_ascii_case(name))?;
        u8::try_from(index).ok()
    }

    /// The names of the codes, in the order of their numbers.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        let numbered = (0_i32..).zip(NAMES);
        numbered
            .filter(move |(number, _)| self.contains(*number))
            .map(|(_, name)| name)
    }

    /// The name that is nearest to this one, which is none: a typo is told what it was meant to be.
    pub fn nearest(name: &str) -> Option<&'static str> {
        crate::nearest(&name.to_ascii_uppercase(), NAMES)
    }
}

impl BitOr for Codes {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_the_code_of_its_number() {
        for (number, name) in (0_u8..).zip(NAMES) {
            assert_eq!(Codes::number(name), Some(number));
            assert_eq!(Codes::number(&name.to_lowercase()), Some(number));
            assert_eq!(Codes::NONE.with(number).names().collect::<Vec<_>>(), [name]);
        }
        assert_eq!(Codes::number("UNAVAILABEL"), None);
        assert_eq!(Codes::NONE.with(17), Codes::NONE);
        assert!(!Codes::from_bits(u32::MAX).contains(17) && !Codes::from_bits(u32::MAX).contains(-1));
    }

    #[test]
    fn sets_are_joined() {
        let both = Codes::UNAVAILABLE | Codes::ABORTED;
        assert_eq!(both, Codes::NONE.with(14).with(10));
        assert_eq!(format!("{both:?}"), r#"{"ABORTED", "UNAVAILABLE"}"#);
    }

    #[test]
    fn a_typo_finds_its_name() {
        assert_eq!(Codes::nearest("unavailabel"), Some("UNAVAILABLE"));
        assert_eq!(Codes::nearest("TIMEOUT"), None);
    }
}

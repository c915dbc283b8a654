use std::fmt;

/// A set of gRPC status codes.
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
    /// `UNAVAILABLE` alone: what says that another attempt may fare better, and nothing else does.
    pub const UNAVAILABLE: Self = Self(1 << 14);

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
}

impl fmt::Debug for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = NAMES.iter().enumerate().filter(|(n, _)| self.contains(*n as i32));
        f.debug_set().entries(names.map(|(_, name)| name)).finish()
    }
}

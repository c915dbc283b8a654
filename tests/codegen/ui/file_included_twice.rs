//! A generated file is included once in a crate, and the name that rustc quotes says what to do.

mod once {
    include!("../../../pool-build/tests/golden/bare.rs");
}

mod twice {
    include!("../../../pool-build/tests/golden/bare.rs");
}

fn main() {}

//! From `.proto` files to descriptors, by protox: pure Rust, so that nobody needs a `protoc`.

use std::path::{Path, PathBuf};

use protox::Compiler;
use protox::prost::Message;

use crate::error::{Error, SYNTAX, locate, mistakes};

/// What the compiler found out.
pub(crate) struct Compiled {
    /// The descriptors of the files asked for and of all they import.
    pub(crate) descriptors: prost_types::FileDescriptorSet,
    /// The same, encoded with the options that prost's types have no fields for.
    pub(crate) encoded: Vec<u8>,
    /// The files that were read.
    pub(crate) files: Vec<PathBuf>,
}

/// Compiles `protos` with protox. Every file is tried, so that one build shows the mistakes of all.
pub(crate) fn compile(protos: &[PathBuf], includes: &[PathBuf]) -> Result<Compiled, Error> {
    let mut compiler = Compiler::new(includes).map_err(|error| Error::new(mistakes(&error, includes)))?;
    compiler.include_imports(true).include_source_info(true);
    let mut found = Vec::new();
    for proto in protos {
        if let Some(missing) = missing(proto, includes) {
            found.push(missing);
        } else if let Err(error) = compiler.open_file(proto) {
            found.extend(mistakes(&error, includes));
        }
    }
    if !found.is_empty() {
        return Err(Error::new(found));
    }
    Ok(Compiled {
        descriptors: compiler.file_descriptor_set(),
        encoded: compiler.encode_file_descriptor_set(),
        files: compiler
            .files()
            .filter_map(|file| file.path().map(Path::to_owned))
            .collect(),
    })
}

/// The files behind the descriptor set that a `protoc` has written, as far as they can be found.
pub(crate) fn files(encoded: &[u8], includes: &[PathBuf]) -> Vec<PathBuf> {
    // The set was read by prost-build a moment ago; should it be unreadable, cargo merely watches less.
    let set = prost_types::FileDescriptorSet::decode(encoded).unwrap_or_default();
    set.file
        .iter()
        .map(|file| locate(file.name(), includes))
        .filter(|path| path.exists())
        .collect()
}

/// Refuses what prost-build would panic over.
pub(crate) fn check(descriptors: &prost_types::FileDescriptorSet) -> Result<(), Error> {
    let unknown = |file: &&prost_types::FileDescriptorProto| !matches!(file.syntax(), "" | "proto2" | "proto3");
    let mistakes: Vec<String> = descriptors
        .file
        .iter()
        .filter(unknown)
        .map(|file| format!("{}: its syntax is `{}`; {SYNTAX}", file.name(), file.syntax()))
        .collect();
    if mistakes.is_empty() {
        Ok(())
    } else {
        Err(Error::new(mistakes))
    }
}

/// The encoding of `descriptors`.
pub(crate) fn encode(descriptors: &prost_types::FileDescriptorSet) -> Vec<u8> {
    descriptors.encode_to_vec()
}

/// protox says of a file that does not exist that it is in no include path, which sends its reader the
/// wrong way.
fn missing(proto: &Path, includes: &[PathBuf]) -> Option<String> {
    let exists = proto.exists() || includes.iter().any(|include| include.join(proto).exists());
    if exists {
        return None;
    }
    let looked: Vec<_> = includes.iter().map(|i| i.display().to_string()).collect();
    Some(format!(
        "{}: no such file, neither in the package's directory nor in the include paths ({})",
        proto.display(),
        looked.join(", ")
    ))
}

//! From `.proto` files to descriptors, by protox: pure Rust, so that nobody needs a `protoc`.

use std::path::{Path, PathBuf};

use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver};
use protox::prost::Message;

use crate::error::{Error, SYNTAX, locate, mistakes};

const BYTE_ORDER_MARK: char = '\u{feff}';

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
    let mut resolver = ChainFileResolver::new();
    for include in includes {
        resolver.add(WithoutMark(IncludeFileResolver::new(include.clone()), include.clone()));
    }
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_imports(true).include_source_info(true);
    let mut found = Vec::new();
    for proto in protos {
        if let Some(missing) = missing(proto, includes).or_else(|| outside(proto, includes)) {
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
            .filter_map(|file| match file.path() {
                Some(path) => Some(path.to_owned()),
                // A file with a byte order mark, or one of Google's that protox brings.
                None => Some(locate(file.name(), includes)).filter(|path| path.exists()),
            })
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

/// The descriptors in the bytes of a descriptor set.
pub(crate) fn decode(encoded: &[u8]) -> Result<prost_types::FileDescriptorSet, Error> {
    prost_types::FileDescriptorSet::decode(encoded)
        .map_err(|error| Error::new([format!("these bytes are no descriptor set: {error}")]))
}

/// Refuses what prost-build would panic over.
pub(crate) fn check(descriptors: &prost_types::FileDescriptorSet, includes: &[PathBuf]) -> Result<(), Error> {
    let unknown = |file: &&prost_types::FileDescriptorProto| !matches!(file.syntax(), "" | "proto2" | "proto3");
    let mistakes: Vec<String> = descriptors
        .file
        .iter()
        .filter(unknown)
        .map(|file| {
            let path = locate(file.name(), includes);
            format!("{}: its syntax is `{}`; {SYNTAX}", path.display(), file.syntax())
        })
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

/// An include path whose files may begin with a byte order mark, as some editors write. protoc skips it (and so does
/// this), to protox it is an invalid token.
struct WithoutMark(IncludeFileResolver, PathBuf);

impl FileResolver for WithoutMark {
    fn resolve_path(&self, path: &Path) -> Option<String> {
        self.0.resolve_path(path)
    }

    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        match std::fs::read_to_string(self.1.join(name)) {
            Ok(source) if source.starts_with(BYTE_ORDER_MARK) => {
                File::from_source(name, source.trim_start_matches(BYTE_ORDER_MARK))
            }
            // All else, errors included, is protox's to read.
            _ => self.0.open_file(name),
        }
    }
}

/// A file that is there, and that no include path leads to.
fn outside(proto: &Path, includes: &[PathBuf]) -> Option<String> {
    let leads_there = |include: &PathBuf| {
        let resolved = IncludeFileResolver::new(include.clone()).resolve_path(proto);
        resolved.is_some() || (proto.is_relative() && include.join(proto).exists())
    };
    if includes.iter().any(leads_there) {
        return None;
    }
    Some(format!(
        "{}: is in none of the include paths ({}); add a directory above it to them",
        proto.display(),
        list(includes)
    ))
}

fn list(includes: &[PathBuf]) -> String {
    let display = |include: &PathBuf| match include.as_os_str().is_empty() {
        true => "the current directory".to_owned(),
        false => include.display().to_string(),
    };
    includes.iter().map(display).collect::<Vec<_>>().join(", ")
}

/// protox says of a file that does not exist that it is in no include path, which sends its reader the
/// wrong way.
fn missing(proto: &Path, includes: &[PathBuf]) -> Option<String> {
    let exists = proto.exists() || includes.iter().any(|include| include.join(proto).exists());
    if exists {
        return None;
    }
    Some(format!(
        "{}: no such file, neither in the package's directory nor in the include paths ({})",
        proto.display(),
        list(includes)
    ))
}

//! A folder with `.proto` files in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// The shared protos of the workspace.
pub(crate) const PROTOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto");

/// A folder of `.proto` files that also takes the output; it is gone with the value.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(TempDir::new().unwrap());
        for (name, text) in files {
            fs::write(folder.path(name), text).unwrap();
        }
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// A build that writes into the folder and tells cargo nothing.
    pub(crate) fn build(&self) -> pool_build::Builder {
        pool_build::configure()
            .out_dir(self.0.path())
            .emit_rerun_if_changed(false)
    }

    /// Compiles `protos` of the folder; the error is what a build script would print, with the folder
    /// called `DIR`.
    pub(crate) fn error(&self, protos: &[&str]) -> String {
        let protos: Vec<PathBuf> = protos.iter().map(|proto| self.path(proto)).collect();
        let error = self.build().compile_protos(&protos, &[self.0.path()]);
        let dir = self.0.path().display().to_string();
        format!("{:?}", error.unwrap_err()).replace(&dir, "DIR")
    }
}

impl AsRef<Path> for Folder {
    fn as_ref(&self) -> &Path {
        self.0.path()
    }
}

/// The standard output of `run`, which holds the lines for cargo. It runs in a process of its own: this test program, with
/// the test called `name` alone. There the result is none, and the test ends.
pub(crate) fn stdout_of(name: &str, run: impl FnOnce()) -> Option<String> {
    const CHILD: &str = "POOL_BUILD_TEST_CHILD";
    if std::env::var_os(CHILD).is_some() {
        run();
        return None;
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let stdout = String::from_utf8(child.stdout).unwrap();
    assert!(
        child.status.success(),
        "{stdout}{}",
        String::from_utf8_lossy(&child.stderr)
    );
    Some(stdout)
}

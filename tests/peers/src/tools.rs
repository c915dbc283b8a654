//! What `tests/peers/run` has found or installed, and what it could not.

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;
use tokio::process::Command;

/// Where the peers are. One that is not given is not there, and its scenarios are skipped.
#[derive(Debug, Args)]
pub(crate) struct Tools {
    /// The folder of the server scripts.
    #[arg(long)]
    scripts: PathBuf,
    /// The folder of the .proto files.
    #[arg(long)]
    protos: PathBuf,
    /// An empty folder for files of running servers.
    #[arg(long)]
    scratch: PathBuf,
    /// A Python with grpcio and the generated modules.
    #[arg(long)]
    grpcio: Option<PathBuf>,
    /// The folder in which npm installed grpc-js.
    #[arg(long)]
    grpc_js: Option<PathBuf>,
    /// The nginx program.
    #[arg(long)]
    nginx: Option<PathBuf>,
}

/// A peer that is not there; why is what `tests/peers/run` has said.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Missing(pub(crate) &'static str);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} could not be had, see above", self.0)
    }
}

impl std::error::Error for Missing {}

impl Tools {
    /// The grpcio server on `port` (0 lets the system choose), with channel options `name=number`.
    pub(crate) fn grpcio_server(&self, port: u16, options: &[&str]) -> Result<Command, Missing> {
        let mut command = Command::new(self.grpcio()?);
        command.arg(self.script("grpcio_server.py"));
        command.arg(port.to_string()).args(options);
        Ok(command)
    }

    /// The grpc-js server with channel options `name=number`.
    pub(crate) fn grpc_js_server(&self, options: &[&str]) -> Result<Command, Missing> {
        let mut command = self.grpc_js("grpc_js_server.js")?;
        command.args(options);
        Ok(command)
    }

    /// The grpcio client of a server on `port`.
    pub(crate) fn grpcio_client(&self, port: u16) -> Result<Command, Missing> {
        let mut command = Command::new(self.grpcio()?);
        command.arg(self.script("grpcio_client.py")).arg(port.to_string());
        Ok(command)
    }

    /// The grpc-js client of a server on `port`.
    pub(crate) fn grpc_js_client(&self, port: u16) -> Result<Command, Missing> {
        let mut command = self.grpc_js("grpc_js_client.js")?;
        command.arg(port.to_string());
        Ok(command)
    }

    /// nginx in front of a server on port `backend`.
    pub(crate) fn nginx(&self, backend: u16) -> Result<Command, Missing> {
        let nginx = self.nginx.as_ref().ok_or(Missing("nginx"))?;
        let mut command = Command::new("python3");
        command.arg(self.script("nginx.py")).arg(nginx).arg(&self.scratch);
        command.arg(backend.to_string());
        Ok(command)
    }

    fn grpcio(&self) -> Result<&Path, Missing> {
        self.grpcio.as_deref().ok_or(Missing("grpcio"))
    }

    fn grpc_js(&self, script: &str) -> Result<Command, Missing> {
        let modules = self.grpc_js.as_ref().ok_or(Missing("grpc-js"))?;
        let mut command = Command::new("node");
        command.arg(self.script(script)).arg(modules);
        command.arg(self.protos.join("testing.proto"));
        Ok(command)
    }

    fn script(&self, name: &str) -> PathBuf {
        self.scripts.join(name)
    }
}

//! The settings of a build.
//!
//! The settings people use most are methods here. All others belong to tonic-prost-build's and
//! prost-build's builders, which [`Builder::tonic`] and [`Builder::prost`] hand out, so that nothing
//! those two can do has to be wrapped to be reached.

use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use prost_types::FileDescriptorSet;

use crate::config::{Config, UnknownNames};
use crate::descriptor;
use crate::error::Error;
use crate::generator::{Found, Generator};

/// Starts a build that differs from the defaults.
///
/// ```no_run
/// # fn main() -> Result<(), pool_build::Error> {
/// pool_build::configure()
///     .build_server(false)
///     .type_attribute(".", "#[derive(Eq)]")
///     .prost(|config| config.bytes(["."]))
///     .compile_protos(&["proto/helloworld.proto"], &["proto"])
/// # }
/// ```
pub fn configure() -> Builder {
    Builder {
        tonic: tonic_prost_build::configure(),
        prost: prost_build::Config::new(),
        out_dir: None,
        descriptor_path: None,
        service_config: None,
        unknown_names: UnknownNames::default(),
        protoc: false,
        cross_crate: true,
        // Outside a build script the lines would mean nothing.
        rerun: std::env::var_os("CARGO").is_some(),
    }
}

/// The settings of a build; made by [`configure`].
#[derive(Debug)]
#[must_use = "a builder does nothing until one of its compile methods is called"]
pub struct Builder {
    tonic: tonic_prost_build::Builder,
    prost: prost_build::Config,
    out_dir: Option<PathBuf>,
    descriptor_path: Option<PathBuf>,
    service_config: Option<PathBuf>,
    unknown_names: UnknownNames,
    protoc: bool,
    cross_crate: bool,
    rerun: bool,
}

impl Builder {
    /// Whether tonic clients are generated. Default: yes; without them there is nothing to annotate.
    pub fn build_client(self, enable: bool) -> Self {
        self.tonic(|tonic| tonic.build_client(enable))
    }

    /// Whether tonic servers are generated too. Default: yes, as in tonic, so that a test can serve
    /// what it calls.
    pub fn build_server(self, enable: bool) -> Self {
        self.tonic(|tonic| tonic.build_server(enable))
    }

    /// Whether tonic's clients get a `connect` that opens a bare `Channel`. Default: yes, as in tonic.
    ///
    /// It needs tonic's `channel` feature. A crate whose clients are all pooled can do without both, and
    /// without the crates that the feature brings.
    pub fn build_transport(self, enable: bool) -> Self {
        self.tonic(|tonic| tonic.build_transport(enable))
    }

    /// Where the Rust files go. Default: cargo's `OUT_DIR`, where `tonic::include_proto!` looks.
    pub fn out_dir(mut self, dir: impl AsRef<Path>) -> Self {
        self.out_dir = Some(dir.as_ref().to_owned());
        self
    }

    /// Writes a file that includes all others in a module tree like that of the packages. Default: none.
    pub fn include_file(self, path: impl AsRef<Path>) -> Self {
        self.tonic(|tonic| tonic.include_file(path))
    }

    /// Takes what is in the proto package or type `proto_path` from the Rust module or type
    /// `rust_path` instead of generating it.
    pub fn extern_path(self, proto_path: impl AsRef<str>, rust_path: impl AsRef<str>) -> Self {
        self.tonic(|tonic| tonic.extern_path(proto_path, rust_path))
    }

    /// Adds an attribute to the messages, enums and oneofs that match `path`; `"."` matches all.
    pub fn type_attribute(self, path: impl AsRef<str>, attribute: impl AsRef<str>) -> Self {
        self.tonic(|tonic| tonic.type_attribute(path, attribute))
    }

    /// Adds an attribute to the fields that match `path`.
    pub fn field_attribute(self, path: impl AsRef<str>, attribute: impl AsRef<str>) -> Self {
        self.tonic(|tonic| tonic.field_attribute(path, attribute))
    }

    /// Whether Rust types are generated for `google.protobuf` as well. Default: no; they come from
    /// prost-types, and `Empty` and the wrappers are `()`, `bool`, `String` and the like.
    pub fn compile_well_known_types(self, enable: bool) -> Self {
        self.tonic(|tonic| tonic.compile_well_known_types(enable))
    }

    /// The codec of all clients and servers. Default: `tonic_prost::ProstCodec`. The type must be `pub`.
    pub fn codec_path(self, path: impl AsRef<str>) -> Self {
        self.tonic(|tonic| tonic.codec_path(path))
    }

    /// Writes the encoded descriptors to `path` as well, for reflection for example. Default: no.
    pub fn file_descriptor_set_path(mut self, path: impl AsRef<Path>) -> Self {
        self.descriptor_path = Some(path.as_ref().to_owned());
        self
    }

    /// Whether cargo is told to run the build script again when one of the files or of those it imports
    /// changes. Default: yes under cargo.
    pub fn emit_rerun_if_changed(mut self, enable: bool) -> Self {
        self.rerun = enable;
        self
    }

    /// Builds a service config into the clients: gRPC's own, in JSON, which the owners of a service keep for all its
    /// clients. Default: none.
    ///
    /// What it says of a method (`timeout`, `waitForReady`, `retryPolicy`, `hedgingPolicy`, and the limits of message
    /// sizes) becomes a part of the method's description, and holds unless the attribute, the running pool's service
    /// config or the call says otherwise. What it says of the pool (`retryThrottling`, `connectionScaling`) is set by
    /// the clients' `connect`, `connect_lazy` and `pool_builder`; a pool that is made in another way does not have it.
    /// Plain tonic clients do not see the config at all: for those there is `Builder::service_config` of
    /// pool-runtime.
    ///
    /// It is checked here, and every mistake is listed with line and column. Names of services and methods are checked as
    /// [`unknown_names`](Self::unknown_names) has it. `path` is relative to the package's directory, like those of the
    /// `.proto` files, and cargo is told to watch it.
    ///
    /// # Configs that somebody else has published
    ///
    /// gRPC rejects a config as a whole if a `retryPolicy` lacks one of its five fields (gRFC A6), and so does this
    /// crate. A quarter of the configs that Google publishes beside its `.proto` files do lack one, most often
    /// `maxAttempts`: they are written for generators that are not as strict. Keep a copy of such a file, and add the
    /// fields that the error lists; `"maxAttempts": 5` is the most that gRPC allows.
    pub fn service_config(mut self, path: impl AsRef<Path>) -> Self {
        self.service_config = Some(path.as_ref().to_owned());
        self
    }

    /// How to treat names in the service config that no compiled file holds, though their package is compiled.
    /// Default: [`UnknownNames::RefuseTypos`].
    pub fn unknown_names(mut self, unknown: UnknownNames) -> Self {
        self.unknown_names = unknown;
        self
    }

    /// Whether other crates can annotate the clients. Default: yes.
    ///
    /// Without it a generated file may be included several times in one crate; see the
    /// [crate's documentation](crate#including-the-output).
    pub fn cross_crate(mut self, enable: bool) -> Self {
        self.cross_crate = enable;
        self
    }

    /// Compiles with a real `protoc` instead of protox: the one that `PROTOC` names, or the one in
    /// `PATH`. Worth it where the two should ever differ. It does not help with editions, which
    /// prost-build does not know.
    pub fn protoc(mut self) -> Self {
        self.protoc = true;
        self
    }

    /// Changes any setting of tonic-prost-build.
    ///
    /// ```no_run
    /// # let builder =
    /// pool_build::configure().tonic(|tonic| tonic.generate_default_stubs(true))
    /// # ;
    /// ```
    ///
    /// For the output directory and the descriptor set use the methods of this builder: they hold with
    /// protox too.
    pub fn tonic(mut self, change: impl FnOnce(tonic_prost_build::Builder) -> tonic_prost_build::Builder) -> Self {
        self.tonic = change(self.tonic);
        self
    }

    /// Changes any setting of prost-build, except for the service generator, which is this crate's.
    ///
    /// ```no_run
    /// # let builder =
    /// pool_build::configure().prost(|config| config.bytes(["."]).btree_map(["."]))
    /// # ;
    /// ```
    pub fn prost(mut self, change: impl FnOnce(&mut prost_build::Config) -> &mut prost_build::Config) -> Self {
        change(&mut self.prost);
        self
    }

    /// Compiles `protos`, looking for what they import in `includes`. Without includes that is the current directory,
    /// which for a build script is the package's.
    ///
    /// # Errors
    ///
    /// When a file can't be read or is not valid; the error names file, line and column of every
    /// mistake that was found, in a service config as well.
    pub fn compile_protos<P, I>(self, protos: &[P], includes: &[I]) -> Result<(), Error>
    where
        P: AsRef<Path>,
        I: AsRef<Path>,
    {
        let protos: Vec<PathBuf> = protos.iter().map(|p| p.as_ref().to_owned()).collect();
        let mut includes: Vec<PathBuf> = includes.iter().map(|i| i.as_ref().to_owned()).collect();
        if includes.is_empty() {
            // As protoc without `-I`: the current directory.
            includes.push(PathBuf::new());
        }
        if self.protoc {
            return self.compile_with_protoc(&protos, &includes);
        }
        let compiled = descriptor::compile(&protos, &includes)?;
        self.watch(&compiled.files);
        self.write_descriptors(&compiled.encoded)?;
        self.generate_from(compiled.descriptors)
    }

    /// Generates from descriptors that something else has compiled.
    ///
    /// # Errors
    ///
    /// When the descriptors contradict themselves, the service config can't be followed, or the files can't be
    /// written.
    pub fn compile_fds(self, descriptors: FileDescriptorSet) -> Result<(), Error> {
        descriptor::check(&descriptors, &[])?;
        self.write_descriptors(&descriptor::encode(&descriptors))?;
        self.generate_from(descriptors)
    }

    /// Generates from the bytes of a descriptor set, as protoc's `-o` writes them and as crates export them. The files'
    /// imports must be in it (`--include_imports`).
    ///
    /// With [`extern_path`](Self::extern_path) this makes clients over messages that another crate has, for example of a
    /// service whose client was not compiled by pool-build:
    ///
    /// ```no_run
    /// # const FILE_DESCRIPTOR_SET: &[u8] = &[];
    /// # fn main() -> Result<(), pool_build::Error> {
    /// pool_build::configure()
    ///     .build_server(false)
    ///     .extern_path(".grpc.health.v1", "::tonic_health::pb")
    ///     .compile_encoded_fds(FILE_DESCRIPTOR_SET) // tonic_health::pb::FILE_DESCRIPTOR_SET
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the bytes are no descriptor set, and those of [`compile_fds`](Self::compile_fds).
    pub fn compile_encoded_fds(self, encoded: impl AsRef<[u8]>) -> Result<(), Error> {
        let encoded = encoded.as_ref();
        let descriptors = descriptor::decode(encoded)?;
        descriptor::check(&descriptors, &[])?;
        self.write_descriptors(encoded)?;
        self.generate_from(descriptors)
    }

    fn compile_with_protoc(mut self, protos: &[PathBuf], includes: &[PathBuf]) -> Result<(), Error> {
        // protoc's own list of what it read is the descriptor set, so there always is one.
        let set = match self.descriptor_path.clone() {
            Some(path) => path,
            None => self.target_dir()?.join("pool_build_descriptors.bin"),
        };
        // One that was written before is not of this run.
        let _ = fs::remove_file(&set);
        self.prost.file_descriptor_set_path(&set);
        let rerun = self.rerun;
        // Without `-I` protoc takes the current directory; the empty path is not one to it.
        let given = includes.iter().filter(|include| !include.as_os_str().is_empty());
        let given: Vec<PathBuf> = given.cloned().collect();
        let generated = self.generate(|tonic, config| tonic.compile_with_config(config, protos, &given));
        let encoded = fs::read(&set).unwrap_or_default();
        if rerun {
            println!("cargo:rerun-if-env-changed=PROTOC");
            rerun_if_changed(&descriptor::files(&encoded, includes));
        }
        match generated {
            Ok(()) => Ok(()),
            // prost-build panics over an edition, without its name.
            Err(error) => Err(
                match descriptor::decode(&encoded).and_then(|set| descriptor::check(&set, includes)) {
                    Ok(()) => error.of_protoc(includes),
                    Err(edition) => edition,
                },
            ),
        }
    }

    fn generate_from(mut self, descriptors: FileDescriptorSet) -> Result<(), Error> {
        // tonic-prost-build does so when it runs a protoc: generated code is not the user's to tidy up.
        self.prost.type_attribute(".", "#[allow(clippy::all)]");
        self.generate(|tonic, config| tonic.compile_fds_with_config(descriptors, config))
    }

    /// Runs tonic-prost-build with this crate's service generator around its own.
    fn generate(
        mut self,
        run: impl FnOnce(tonic_prost_build::Builder, prost_build::Config) -> std::io::Result<()>,
    ) -> Result<(), Error> {
        let out_dir = self.target_dir()?;
        let config = self.read_service_config()?;
        let (generator, found) = Generator::new(&self.tonic, self.cross_crate, config.clone());
        self.prost.service_generator(Box::new(generator));
        // The builder would put its bare generator in the place of ours if it were to build anything.
        let tonic = self.tonic.out_dir(out_dir).build_client(false).build_server(false);
        // prost-build panics where names of Rust would clash, for example: no reason for a backtrace.
        let prost = self.prost;
        let run = panic::catch_unwind(AssertUnwindSafe(|| run(tonic, prost)));
        run.map_err(|panic| Error::panic(&*panic))?
            .map_err(|cause| Error::io("the .proto files were not compiled", cause))?;
        let Found { mistakes, compiled } = found.take();
        if !mistakes.is_empty() {
            return Err(Error::new(mistakes));
        }
        let warning = config.map(|config| config.check(&compiled)).transpose()?.flatten();
        if let Some(warning) = warning {
            println!("cargo:warning={warning}");
        }
        Ok(())
    }

    fn read_service_config(&self) -> Result<Option<Rc<Config>>, Error> {
        let Some(path) = &self.service_config else {
            return Ok(None);
        };
        // Before it is read: a file that is wrong or missing is the one that will change.
        self.watch(std::slice::from_ref(path));
        Config::read(path, self.unknown_names).map(|config| Some(Rc::new(config)))
    }

    fn target_dir(&self) -> Result<PathBuf, Error> {
        let from_cargo = || std::env::var_os("OUT_DIR").map(PathBuf::from);
        self.out_dir
            .clone()
            .or_else(from_cargo)
            .ok_or_else(|| Error::new(["OUT_DIR is not set: call this in a build script, or set out_dir".to_owned()]))
    }

    fn write_descriptors(&self, encoded: &[u8]) -> Result<(), Error> {
        match &self.descriptor_path {
            Some(path) => fs::write(path, encoded)
                .map_err(|cause| Error::io(format!("{}: can't be written", path.display()), cause)),
            None => Ok(()),
        }
    }

    fn watch(&self, files: &[PathBuf]) {
        if self.rerun {
            rerun_if_changed(files);
        }
    }
}

fn rerun_if_changed(files: &[PathBuf]) {
    for file in files {
        println!("cargo:rerun-if-changed={}", file.display());
    }
}

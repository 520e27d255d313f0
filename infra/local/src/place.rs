//! Where tests that deploy nothing find an emulator: the shared stack's, the user's, or one that is started for them.

use std::fs;

use serde::Deserialize;

use crate::{Choice, Emulator, Endpoint, Error, Workspace, install, prerequisites, shared_file};

/// An emulator's endpoint, and the emulator if it was started here: that one ends with this value.
#[derive(Debug)]
pub struct Place {
    endpoint: Endpoint,
    emulator: Option<Emulator>,
}

/// The part of a stack's description that is read here.
#[derive(Deserialize)]
struct Shared {
    endpoint: Endpoint,
}

impl Place {
    /// The shared stack's endpoint (`CHARTSEAL_STACK_FILE`), else what [`Choice`] says. It answers, or this fails.
    pub fn find() -> Result<Self, Error> {
        if let Some(path) = shared_file() {
            let text = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
            let Shared { endpoint } =
                serde_json::from_str(&text).map_err(|source| Error::StackFile { path, source })?;
            endpoint.reach()?;
            return Ok(Self { endpoint, emulator: None });
        }
        let workspace = Workspace::find()?;
        if let Choice::Endpoint(endpoint) = Choice::from_environment(&workspace)? {
            endpoint.reach()?;
            return Ok(Self { endpoint, emulator: None });
        }
        prerequisites()?;
        install(&workspace)?;
        let emulator = Emulator::start(&workspace)?;
        Ok(Self { endpoint: emulator.endpoint().clone(), emulator: Some(emulator) })
    }

    /// Its endpoint.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// The emulator that was started for it.
    pub fn emulator(&self) -> Option<&Emulator> {
        self.emulator.as_ref()
    }
}

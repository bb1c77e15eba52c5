//! The list of fault kinds.

use crate::declaration::{FaultBehavior, FaultDeclaration};
use crate::parameters::{ParameterInfo, Parameters};

/// Declares the modules, the variants and the prototypes of all kinds from one list.
macro_rules! fault_kinds {
    ($($module:ident: $variant:ident($parameters:ident),)*) => {
        $(mod $module;)*

        $(pub use $module::*;)*

        /// The kind of a fault, with its parameters.
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum FaultKind {
            $(
                #[doc = concat!("The fault that [`", stringify!($parameters), "`] describes.")]
                $variant($parameters),
            )*
        }

        $(
            impl From<$parameters> for FaultKind {
                fn from(parameters: $parameters) -> FaultKind {
                    FaultKind::$variant(parameters)
                }
            }
        )*

        impl FaultKind {
            /// Returns one fault of each kind, with arbitrary parameters.
            fn prototypes() -> Vec<FaultKind> {
                vec![$(FaultKind::$variant($parameters::default()),)*]
            }

            /// Returns the behavior of the fault.
            pub(crate) fn behavior(&self) -> &dyn FaultBehavior {
                match self {
                    $(FaultKind::$variant(fault) => fault,)*
                }
            }

            /// Returns the behavior of the fault, for a pass over its parameters.
            pub(crate) fn behavior_mut(&mut self) -> &mut dyn FaultBehavior {
                match self {
                    $(FaultKind::$variant(fault) => fault,)*
                }
            }
        }
    };
}

// In the order of the documentation: a file of `kind/`, the variant, and the type with the parameters.
fault_kinds! {
    latency: Latency(Latency),
    bandwidth: Bandwidth(Bandwidth),
    slices: Slices(SlicesFault),
    black_hole: BlackHole(BlackHoleFault),
    stall: Stall(StallFault),
    suspend: Suspend(SuspendFault),
    half_open: HalfOpen(HalfOpenFault),
    cut: Cut(CutFault),
    idle_cut: IdleCut(IdleCutFault),
    silent_drop: SilentDrop(SilentDropFault),
    flapping: Flapping(Flapping),
    slow_close: SlowClose(SlowClose),
    refuse: Refuse(RefuseFault),
    accept_delay: AcceptDelay(AcceptDelayFault),
    close_frame: CloseFrame(CloseFrameFault),
    drop_pings: DropPings(DropPingsFault),
    drop_pongs: DropPongs(DropPongsFault),
    header: Header(HeaderFault),
    compression: Compression(CompressionFault),
    status: Status(StatusFault),
    reload: Reload(ReloadFault),
    restart: Restart(RestartFault),
}

impl FaultKind {
    /// Returns the `kind` by which the fault is selected, in kebab case.
    pub fn name(&self) -> &'static str {
        self.behavior().declaration().kind
    }

    /// Returns a fault of the named kind, with arbitrary parameters.
    pub(crate) fn prototype(name: &str) -> Option<FaultKind> {
        FaultKind::prototypes().into_iter().find(|kind| kind.name() == name)
    }

    /// Returns the names of all kinds.
    pub(crate) fn names() -> impl Iterator<Item = &'static str> {
        FaultKind::prototypes().into_iter().map(|kind| kind.name())
    }
}

/// Returns the documentation of every fault kind and of its parameters, in the order of the documentation.
pub fn fault_kinds() -> impl Iterator<Item = (&'static FaultDeclaration, Vec<ParameterInfo>)> {
    FaultKind::prototypes().into_iter().map(|mut kind| {
        let declaration = kind.behavior().declaration();
        let mut list = Vec::new();
        // Listing reads nothing, so it cannot fail.
        let _ = kind.behavior_mut().parameters(&mut Parameters::list(declaration.kind, &mut list));
        (declaration, list)
    })
}

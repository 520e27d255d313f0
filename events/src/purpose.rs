//! Purposes of use: codes of the HL7 v3 value set PurposeOfUse (code system `http://terminology.hl7.org/CodeSystem/v3-ActReason`).

use std::fmt;
use std::str::FromStr;

use crate::encoding::{EncodingError, serde_as_text};

macro_rules! purposes {
    ($($variant:ident = $code:literal, $meaning:literal;)*) => {
        /// Why access is asked for.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Purpose {
            $(#[doc = $meaning] $variant,)*
        }

        impl Purpose {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The HL7 code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }

            /// What HL7 calls it.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }
    };
}

purposes! {
    Treatment = "TREAT", "treatment";
    CareManagement = "CAREMGT", "care management";
    Coordination = "COC", "coordination of care";
    Emergency = "ETREAT", "emergency treatment";
    BreakTheGlass = "BTG", "break the glass";
    Payment = "HPAYMT", "healthcare payment";
    Operations = "HOPERAT", "healthcare operations";
    Research = "HRESCH", "healthcare research";
    PatientRequested = "PATRQT", "patient requested";
    PublicHealth = "PUBHLTH", "public health";
    Legal = "HLEGAL", "legal";
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl fmt::Debug for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl FromStr for Purpose {
    type Err = EncodingError;

    fn from_str(text: &str) -> Result<Self, EncodingError> {
        Self::ALL.iter().copied().find(|purpose| purpose.code() == text).ok_or(EncodingError { expected_bytes: 0 })
    }
}

serde_as_text!(for Purpose;);

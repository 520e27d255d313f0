//! The calls of the ports, by name.

use std::fmt;

macro_rules! calls {
    ($($port:ident: $($call:ident = $method:ident $kind:ident),+;)+) => {
        /// A call of a port.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Call {
            $($(#[doc = concat!("[`", stringify!($port), "::", stringify!($method), "`](crate::ports::", stringify!($port), ")")] $call,)+)+
        }

        impl Call {
            /// Every call of every port.
            pub const ALL: &'static [Self] = &[$($(Self::$call,)+)+];

            /// `Port::method`
            pub const fn name(self) -> &'static str {
                match self { $($(Self::$call => concat!(stringify!($port), "::", stringify!($method)),)+)+ }
            }

            /// Whether it can change anything.
            pub const fn writes(self) -> bool {
                match self { $($(Self::$call => calls!(@ $kind),)+)+ }
            }
        }
    };
    (@ reads) => { false };
    (@ writes) => { true };
}

calls! {
    EventStore:
        Load = load reads, LoadTail = load_tail reads, LoadFrom = load_from reads, Fetch = fetch reads, Append = append writes, Private = private reads,
        ByTime = by_time reads;
    KeyTable: Wrapped = wrapped reads, Header = header reads;
    Index: AddEntries = add writes, RemoveEntries = remove writes, Page = page reads;
    WorkList:
        PutTaskToken = put_task_token writes, TaskToken = task_token reads, AddDue = add_due writes, Due = due reads,
        RemoveDue = remove_due writes, SweepCursor = sweep_cursor reads, SetSweepCursor = set_sweep_cursor writes,
        CountTokens = count_tokens writes;
    Blobs:
        PresignPut = presign_put reads, PresignGet = presign_get reads, PresignPart = presign_part reads, Head = head reads,
        Delete = delete writes, CountUploads = count_uploads reads, BeginUpload = begin_upload writes,
        StoredParts = stored_parts reads, CompleteUpload = complete_upload writes, AbortUploads = abort_uploads writes;
    DataKeys: Generate = generate reads;
    DataKeyOpener: Unwrap = unwrap reads;
    SearchKeyVault: Keep = keep writes, Open = open reads;
    LogKey: PublicKey = public_key reads;
    Workflow: Start = start writes, Tell = tell writes;
    BlockStore: NewestBlock = newest_block reads, Block = block reads, PutBlock = put_block writes;
    SealedIndex:
        LeafPlaces = leaf_places reads, PutLeafPlaces = put_leaf_places writes, MapPages = map_pages reads,
        PutMapPages = put_map_pages writes, SealedUntil = sealed_until reads, SetSealedUntil = set_sealed_until writes;
    LogFiles: Tile = tile reads, PutTile = put_tile writes, Published = published reads, Publish = publish writes;
    LogSigner: Sign = sign reads;
    Cosignatures: Heard = heard reads, PutHeard = put_heard writes, PutCosigned = put_cosigned writes;
    ClockKey: ClockPublicKey = clock_key reads, Cosign = cosign reads;
}

impl Call {
    /// Whether only the sealer, and whoever shows the ledger or has it witnessed, make it.
    pub const fn is_sealing(self) -> bool {
        matches!(
            self,
            Self::LoadFrom
                | Self::NewestBlock
                | Self::Block
                | Self::PutBlock
                | Self::LeafPlaces
                | Self::PutLeafPlaces
                | Self::MapPages
                | Self::PutMapPages
                | Self::SealedUntil
                | Self::SetSealedUntil
                | Self::Tile
                | Self::PutTile
                | Self::Published
                | Self::Publish
                | Self::Sign
                | Self::Cosign
                | Self::Heard
                | Self::PutHeard
                | Self::PutCosigned
        )
    }

    /// Whether it is several calls of a service, of which some may land and others not.
    pub const fn is_batch(self) -> bool {
        matches!(self, Self::AddEntries | Self::RemoveEntries | Self::AbortUploads)
    }

    /// Whether it is made without asking a service: an address is signed where the function runs.
    pub const fn is_signing(self) -> bool {
        matches!(self, Self::PresignPut | Self::PresignGet | Self::PresignPart)
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

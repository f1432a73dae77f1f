package main

import (
	"errors"
	"path/filepath"

	"github.com/celestiaorg/celestia-app/v9/test/util/testnode"
	"github.com/cometbft/cometbft/config"
	"github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	proto "github.com/cometbft/cometbft/proto/tendermint/types"
	"github.com/cometbft/cometbft/proxy"
	"github.com/cometbft/cometbft/types"
	dbm "github.com/cosmos/cosmos-db"
	"github.com/cosmos/cosmos-sdk/client/flags"
	"github.com/cosmos/cosmos-sdk/server"
	cometlog "github.com/cosmos/cosmos-sdk/server/log"
	servertypes "github.com/cosmos/cosmos-sdk/server/types"
	genutil "github.com/cosmos/cosmos-sdk/x/genutil/types"
)

// behaviour is what makes a chain's commits worth testing against. All of it is in the way of
// signing, none in the way of checking: what the consensus accepts is a valid chain.
type behaviour struct {
	absent, late uint64
}

var errRefused = errors.New("refused on purpose")

// signer signs with a validator's key as `behaviour` says.
type signer struct {
	types.PrivValidator
	behaviour
	last bool
}

// SignVote refuses some blocks, which leaves an absent vote.
func (s signer) SignVote(chain string, vote *proto.Vote) error {
	if s.last && vote.Type == proto.PrecommitType && divides(s.absent, vote.Height) {
		return errRefused
	}
	return s.PrivValidator.SignVote(chain, vote)
}

// SignProposal refuses round 0 of some blocks, which are then committed in a later round.
func (s signer) SignProposal(chain string, proposal *proto.Proposal) error {
	if proposal.Round == 0 && divides(s.late, proposal.Height) {
		return errRefused
	}
	return s.PrivValidator.SignProposal(chain, proposal)
}

func divides(divisor uint64, height int64) bool {
	return divisor > 0 && uint64(height)%divisor == 0
}

// newNode is celestia-app's test/util/testnode/comet_node.go with our signer.
func newNode(settings *testnode.UniversalTestingConfig, how behaviour, last bool) (*node.Node, servertypes.Application, error) {
	logger := testnode.NewLogger(settings)
	comet := settings.TmConfig
	database, err := dbm.NewDB("application", dbm.BackendType(comet.DBBackend), filepath.Join(comet.RootDir, "data"))
	if err != nil {
		return nil, nil, err
	}
	settings.AppOptions.Set(flags.FlagHome, comet.RootDir)
	settings.AppOptions.Set(testnode.TimeoutCommitFlag, comet.Consensus.TimeoutCommit)
	application := settings.AppCreator(logger, database, nil, settings.AppOptions)
	key, err := p2p.LoadOrGenNodeKey(comet.NodeKeyFile())
	if err != nil {
		return nil, nil, err
	}
	file := privval.LoadOrGenFilePV(comet.PrivValidatorKeyFile(), comet.PrivValidatorStateFile())
	started, err := node.NewNode(
		comet,
		signer{file, how, last},
		key,
		proxy.NewLocalClientCreator(server.NewCometABCIWrapper(application)),
		func() (*types.GenesisDoc, error) { return readGenesis(comet) },
		config.DefaultDBProvider,
		node.DefaultMetricsProvider(comet.Instrumentation),
		cometlog.CometLoggerWrapper{Logger: logger},
	)
	return started, application, err
}

func readGenesis(comet *config.Config) (*types.GenesisDoc, error) {
	document, err := genutil.AppGenesisFromFile(comet.GenesisFile())
	if err != nil {
		return nil, err
	}
	return document.ToGenesisDoc()
}

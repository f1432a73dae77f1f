// Devnet runs a Celestia chain on loopback for the project's tests: the real celestia-app, the
// real CometBFT consensus, one process, nothing kept.
//
//	devnet -home FOLDER [flags] celestia1…   each address gets coins in block 1
//
// When the first block stands, FOLDER/ready.json appears:
//
//	{"block1":"6A…","grpc":40123,"rpc":40125,"validators":1}
//
// It ends on SIGINT, SIGTERM, or when its standard input closes, which happens when its parent dies.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"cosmossdk.io/log"
	"github.com/celestiaorg/celestia-app/v9/test/util/genesis"
	"github.com/celestiaorg/celestia-app/v9/test/util/testnode"
	"github.com/cometbft/cometbft/p2p"
	sdk "github.com/cosmos/cosmos-sdk/types"
)

// How many coins each address has in block 1, in millionths: enough for any test.
const coins = 1_000_000_000_000

type options struct {
	home, chain string
	block       time.Duration
	powers      []int64
	behaviour   behaviour
	fund        []sdk.AccAddress
}

func main() {
	if err := run(parse()); err != nil {
		fmt.Fprintln(os.Stderr, "devnet:", err)
		os.Exit(1)
	}
}

func parse() options {
	var o options
	var powers string
	flag.StringVar(&o.home, "home", "", "folder of the chain's files")
	flag.StringVar(&o.chain, "chain", "private", "chain id")
	flag.DurationVar(&o.block, "block", time.Second, "time between blocks")
	flag.StringVar(&powers, "powers", "1", "voting power of each validator, e.g. 4,3,2,1")
	flag.Uint64Var(&o.behaviour.absent, "absent", 0, "the last validator signs no block whose height this divides")
	flag.Uint64Var(&o.behaviour.late, "late", 0, "no block whose height this divides is proposed in round 0")
	flag.Parse()
	for _, power := range strings.Split(powers, ",") {
		var value int64
		if _, err := fmt.Sscan(power, &value); err != nil {
			exit(fmt.Errorf("-powers: %w", err))
		}
		o.powers = append(o.powers, value)
	}
	for _, text := range flag.Args() {
		address, err := sdk.AccAddressFromBech32(text)
		if err != nil {
			exit(err)
		}
		o.fund = append(o.fund, address)
	}
	return o
}

func exit(err error) {
	fmt.Fprintln(os.Stderr, "devnet:", err)
	os.Exit(2)
}

func run(o options) error {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	document := makeGenesis(o)
	configs, err := configure(o, document)
	if err != nil {
		return err
	}
	var first testnode.Context
	var ports map[string]any
	for index, config := range configs {
		config.AppConfig.API.Enable = false
		running, rpc, grpc, err := start(ctx, o, config, index)
		if err != nil {
			return fmt.Errorf("validator %d: %w", index, err)
		}
		if index == 0 {
			first, ports = running, map[string]any{"rpc": rpc, "grpc": grpc, "validators": len(configs)}
		}
	}
	if _, err := first.WaitForHeightWithTimeout(1, time.Minute); err != nil {
		return err
	}
	height := int64(1)
	block, err := first.Client.Block(ctx, &height)
	if err != nil {
		return err
	}
	ports["block1"] = block.BlockID.Hash.String()
	if err := announce(filepath.Join(o.home, "ready.json"), ports); err != nil {
		return err
	}
	<-ctx.Done()
	// Nothing is kept, so nothing is put away: the state is in memory, the folder the parent's.
	return nil
}

// announce writes a whole file or none, so that a reader never sees half of it.
func announce(path string, what map[string]any) error {
	content, err := json.Marshal(what)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".part", content, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".part", path)
}

// makeGenesis names the validators, their stakes, and who has coins.
func makeGenesis(o options) *genesis.Genesis {
	document := genesis.NewDefaultGenesis().
		WithChainID(o.chain).
		WithConsensusParams(testnode.DefaultConsensusParams())
	for index, power := range o.powers {
		validator := genesis.NewDefaultValidator(fmt.Sprintf("validator%d", index))
		// One unit of voting power is a million of the smallest coins.
		validator.Stake = power * 1_000_000
		document.WithValidators(validator)
	}
	return document.WithModifiers(genesis.FundAccounts(
		document.EncodingConfig().Codec, o.fund, sdk.NewInt64Coin("utia", coins)))
}

// configure writes each validator's files, all with the first one's genesis, each knowing the others.
func configure(o options, document *genesis.Genesis) ([]*testnode.UniversalTestingConfig, error) {
	var configs []*testnode.UniversalTestingConfig
	var peers []string
	for index := range o.powers {
		ports, err := freePorts(5)
		if err != nil {
			return nil, err
		}
		whole := testnode.DefaultConfig().WithDelayedPrecommitTimeout(o.block)
		config := &whole.UniversalTestingConfig
		config.TmConfig.RPC.ListenAddress = address("tcp://", ports[0])
		config.TmConfig.P2P.ListenAddress = address("tcp://", ports[1])
		config.TmConfig.RPC.GRPCListenAddress = address("tcp://", ports[2])
		config.TmConfig.PrivValidatorGRPCListenAddr = address("", ports[3])
		config.AppConfig.GRPC.Address = address("", ports[4])
		config.TmConfig.P2P.AllowDuplicateIP = true
		config.TmConfig.P2P.AddrBookStrict = false
		config.TmConfig.P2P.PexReactor = false
		validator, _ := document.Validator(index)
		peers = append(peers, fmt.Sprintf("%s@127.0.0.1:%d", p2p.PubKeyToID(validator.NetworkKey.PubKey()), ports[1]))
		configs = append(configs, config)
	}
	for index, config := range configs {
		others := append(append([]string{}, peers[:index]...), peers[index+1:]...)
		config.TmConfig.P2P.PersistentPeers = strings.Join(others, ",")
		home := filepath.Join(o.home, fmt.Sprintf("validator%d", index))
		if err := genesis.InitFiles(home, config.TmConfig, config.AppConfig, document, index); err != nil {
			return nil, err
		}
		if err := copyFile(configs[0].TmConfig.GenesisFile(), config.TmConfig.GenesisFile()); err != nil {
			return nil, err
		}
	}
	return configs, nil
}

// start starts one validator and the gRPC server that bridge nodes ask.
func start(ctx context.Context, o options, config *testnode.UniversalTestingConfig, index int) (
	running testnode.Context, rpc, grpc int, err error,
) {
	last := index == len(o.powers)-1
	comet, application, err := newNode(config, o.behaviour, last)
	if err != nil {
		return running, 0, 0, err
	}
	running = testnode.NewContext(ctx, nil, config.TmConfig, o.chain, config.AppConfig.API.Address)
	if running, _, err = testnode.StartNode(comet, running); err != nil {
		return running, 0, 0, err
	}
	environment, err := comet.ConfigureRPC()
	if err != nil {
		return running, 0, 0, err
	}
	_, running, _, err = testnode.StartGRPCServer(log.NewNopLogger(), application, config.AppConfig, running, environment)
	return running, portOf(config.TmConfig.RPC.ListenAddress), portOf(config.AppConfig.GRPC.Address), err
}

func address(scheme string, port int) string {
	return fmt.Sprintf("%s127.0.0.1:%d", scheme, port)
}

func portOf(address string) int {
	var port int
	_, _ = fmt.Sscanf(address[strings.LastIndex(address, ":"):], ":%d", &port)
	return port
}

// freePorts returns ports of loopback that nobody listens at. All are held until all are found, so
// that no two are the same.
func freePorts(count int) ([]int, error) {
	var ports []int
	for range count {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer listener.Close()
		tcp, ok := listener.Addr().(*net.TCPAddr)
		if !ok {
			return nil, errors.New("a TCP listener without a TCP address")
		}
		ports = append(ports, tcp.Port)
	}
	return ports, nil
}

func copyFile(from, to string) error {
	if from == to {
		return nil
	}
	content, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, content, 0o600)
}

package rules

// All lists the rules in the order in which they run. Where two rules want
// the same bytes, the earlier one has them.
var All = []*Rule{
	importPath,

	// Configuration of clients and of embedded servers.
	tlsInfoCAFile,
	embedConfig,
	clientv3SetLogger,
	grpcInsecure,
	grpcBalancerName,
	grpcConnTimeout,
	dialBlock,
	grpcInterceptor,
	authDialTimeout,
	endpointScheme,
	clientSilent,

	// Calls, types and fakes of the client.
	nilClient,
	memberList,
	clientErrors,
	interfaceMethods,
	pointerArgument,
	credentialsBundle,
	intervalTree,

	// Naming and discovery.
	namingResolver,

	// Tests, snapshots and server packages.
	integrationCluster,
	testutilLeaks,
	testutilAssert,
	scheduleJob,
	bytesField,
	raftStart,
	messageSnapshot,
	walConfState,
	addedArguments,
	addedResults,

	// Messages without gogo/protobuf, from 3.7.
	watchResponseHeader,
	cmpOpaque,
	pointerChannels,
	gogoCalls,
	protoMethods,
	proto2Fields,
	messagePointers,
	messageLiteral,
	messageCompare,
	messageCopy,
	messageJSON,
	serverEmbed,
	eventSwitch,

	// gRPC.
	grpcRename,
	grpcWithBalancer,
	grpcPicker,
	grpcResolverTarget,
	grpcManualResolver,
	grpcBalancerMethods,
	grpcHealthServer,
	grpcServer,
	grpcAttributesPairs,
	grpcBufferPool,
	grpcStatusWrapped,
	grpcRemoved,
	pbGenerated,

	// Client v2.
	ClientV2,

	// What a migration by hand left behind.
	forgottenImport,

	// Behaviour that changes without a compile error.
	clientLogs,
	mutexUnlock,
	rejectOldCluster,
	serializableOrder,
	tlsServerName,
	embedDefaults,

	// What a raised go directive makes go vet refuse.
	printfConstantFormat,

	// Paths in what is not code.
	goGeneratePath,
	commentPath,
	stringPath,
	generatedCode,

	// Packages of others that do not survive the move.
	capnslogRepo,
	prometheusLog,
	viperRemote,
	etcdThrough,

	replacedSymbol,

	// Files that are not Go.
	generatorPath,
	textPath,
	textMentions,
	goCommand,
	protoImport,
	bazelRepository,
	serverVersion,
	serverFlagsRename,
	serverFlags,

	// Whatever is left: moved, renamed, changed and removed symbols.
	movedSymbol,
	renamedSymbol,
	changedSymbol,
	removedSymbol,
}

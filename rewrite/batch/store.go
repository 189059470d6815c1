package batch

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// ErrLocked says that another process works in the state folder. Two servers
// on one store would run the work twice.
var ErrLocked = errors.New("another etcdshift works in this state folder; follow it with 'etcdshift batch status', or name another folder with --state")

// Connection says where the queue and the results are.
type Connection struct {
	State string // folder of the embedded server, and of the files that are written
	URL   string // of a NATS server or cluster; "" embeds one
	Name  string // of the batch on a shared server; "" is "default"

	Context        string // context file of the nats command
	Creds, NKey    string // files
	CA, Cert, Key  string // files
	AckWait        time.Duration
	MaxDeliver     int // attempts before a dead letter
	Replicas       int
	user, password string
	token          string
}

// defaults of a connection.
const (
	defaultAckWait    = 45 * time.Second
	defaultMaxDeliver = 3
)

// Store is an open queue with its results.
type Store struct {
	Connection
	srv   *server.Server
	nc    *nats.Conn
	js    jetstream.JetStream
	cons  jetstream.Consumer
	rows  jetstream.KeyValue
	marks jetstream.KeyValue // interrupted deliveries, and commands that have begun
	files jetstream.ObjectStore
	lock  *flock.Flock
}

var nameOK = regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`)

// Open starts the embedded server, or connects to the one at the URL, and
// makes the stream and buckets that are not there yet.
func Open(ctx context.Context, c Connection) (_ *Store, err error) {
	if c.Name == "" {
		c.Name = "default"
	}
	if !nameOK.MatchString(c.Name) {
		return nil, fmt.Errorf("--name %q: must be 1 to 40 letters, digits, dashes or underscores", c.Name)
	}
	if c.MaxDeliver == 0 {
		c.MaxDeliver = defaultMaxDeliver
	}
	s := &Store{Connection: c}
	defer func() {
		if err != nil {
			s.Close()
		}
	}()
	if c.Context != "" {
		if err := s.readContext(c.Context); err != nil {
			return nil, err
		}
	}
	if s.URL == "" {
		err = s.embed()
	} else {
		err = s.connect()
	}
	if err != nil {
		return nil, err
	}
	if s.js, err = jetstream.New(s.nc); err != nil {
		return nil, err
	}
	return s, s.prepare(ctx)
}

// embed starts a server in this process.
func (s *Store) embed() error {
	if err := os.MkdirAll(filepath.Join(s.State, "attempts"), 0o700); err != nil {
		return err
	}
	s.lock = flock.New(filepath.Join(s.State, "lock"))
	ok, err := s.lock.TryLock()
	if err != nil {
		return fmt.Errorf("locking %s: %w", s.State, err)
	}
	if !ok {
		s.lock = nil
		return fmt.Errorf("%s: %w", s.State, ErrLocked)
	}
	// SyncAlways: without it the server syncs every two minutes, and a power
	// failure takes back what it acknowledged.
	s.srv, err = server.NewServer(&server.Options{
		ServerName: "etcdshift", DontListen: true, JetStream: true, SyncAlways: true,
		StoreDir: filepath.Join(s.State, "nats"), NoSigs: true, NoLog: true,
	})
	if err != nil {
		return fmt.Errorf("starting the embedded queue in %s: %w", s.State, err)
	}
	s.srv.Start()
	if !s.srv.ReadyForConnections(time.Minute) {
		return fmt.Errorf("the embedded queue in %s did not start within a minute", s.State)
	}
	s.nc, err = nats.Connect("", nats.InProcessServer(s.srv), nats.Name("etcdshift"))
	return err
}

// readContext takes what a context file of the nats command says; flags win.
func (s *Store) readContext(name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("--nats-context: %w", err)
	}
	var f struct{ URL, User, Password, Token, Creds, NKey, CA, Cert, Key string }
	if err := json.Unmarshal(data, &f); err != nil {
		return fmt.Errorf("--nats-context %s: not a context file of the nats command: %w", name, err)
	}
	for _, p := range []struct {
		to   *string
		from string
	}{{&s.URL, f.URL}, {&s.Creds, f.Creds}, {&s.NKey, f.NKey}, {&s.CA, f.CA}, {&s.Cert, f.Cert}, {&s.Key, f.Key},
		{&s.user, f.User}, {&s.password, f.Password}, {&s.token, f.Token}} {
		if *p.to == "" {
			*p.to = p.from
		}
	}
	if s.URL == "" {
		return fmt.Errorf("--nats-context %s: it has no url", name)
	}
	return nil
}

func (s *Store) connect() error {
	opts := []nats.Option{
		nats.Name("etcdshift batch"), nats.MaxReconnects(-1), nats.ReconnectWait(time.Second),
		nats.Timeout(10 * time.Second), nats.ReconnectBufSize(-1),
	}
	if s.Creds != "" {
		opts = append(opts, nats.UserCredentials(s.Creds))
	}
	if s.NKey != "" {
		o, err := nats.NkeyOptionFromSeed(s.NKey)
		if err != nil {
			return fmt.Errorf("--nats-nkey: %w", err)
		}
		opts = append(opts, o)
	}
	if s.CA != "" {
		opts = append(opts, nats.RootCAs(s.CA))
	}
	if s.Cert != "" || s.Key != "" {
		opts = append(opts, nats.ClientCert(s.Cert, s.Key))
	}
	if s.user != "" {
		opts = append(opts, nats.UserInfo(s.user, s.password))
	}
	if s.token != "" {
		opts = append(opts, nats.Token(s.token))
	}
	var err error
	if s.nc, err = nats.Connect(s.URL, opts...); err != nil {
		return fmt.Errorf("connecting to %s: %w", redact(s.URL), err)
	}
	return nil
}

// redact takes passwords out of the URLs of a server list.
func redact(urls string) string {
	parts := strings.Split(urls, ",")
	for i, p := range parts {
		u, err := url.Parse(p)
		if err != nil || u.User == nil {
			continue
		}
		if _, secret := u.User.Password(); secret || u.Scheme != "ssh" {
			u.User = url.User("xxxxx")
			parts[i] = u.String()
		}
	}
	return strings.Join(parts, ",")
}

func (s *Store) subject(id string) string { return "etcdshift." + s.Name + ".work." + id }

func (s *Store) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	explain := func(what string, err error) error {
		if errors.Is(err, jetstream.ErrJetStreamNotEnabled) || errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount) {
			return fmt.Errorf("%s: the server has no JetStream; start it with 'nats-server -js' or enable it for the account", redact(s.URL))
		}
		return fmt.Errorf("%s: %w", what, err)
	}
	// One message per subject, and the subject is the id: a job that waits or
	// is being worked on is refused for as long as that lasts, not only for
	// the window in which the server remembers message ids.
	// What is there is taken as it is: a worker that joins does not change how
	// many copies the cluster keeps.
	stream := "ETCDSHIFT_" + s.Name
	copies := max(s.Replicas, 1)
	_, err := s.js.Stream(ctx, stream)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		_, err = s.js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{
			Name: stream, Subjects: []string{s.subject("*")}, Retention: jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage,
			MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew, DiscardNewPerSubject: true, Replicas: copies,
		})
	}
	if err != nil {
		return explain("stream "+stream, err)
	}
	bucket := func(name string) (jetstream.KeyValue, error) {
		kv, err := s.js.KeyValue(ctx, stream+"_"+name)
		if errors.Is(err, jetstream.ErrBucketNotFound) {
			kv, err = s.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: stream + "_" + name, Storage: jetstream.FileStorage, Replicas: copies})
		}
		if err != nil {
			return nil, explain("bucket "+name, err)
		}
		return kv, nil
	}
	if s.rows, err = bucket("rows"); err != nil {
		return err
	}
	if s.marks, err = bucket("marks"); err != nil {
		return err
	}
	s.files, err = s.js.ObjectStore(ctx, stream+"_files")
	if errors.Is(err, jetstream.ErrBucketNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		s.files, err = s.js.CreateOrUpdateObjectStore(ctx, jetstream.ObjectStoreConfig{Bucket: stream + "_files", Storage: jetstream.FileStorage, Replicas: copies})
	}
	if err != nil {
		return explain("object store", err)
	}
	const consumer = "workers"
	if s.srv != nil {
		// Nobody else can hold a job of the embedded queue: what the killed
		// run had in hand is to be had again at once, not after the wait.
		err := s.js.DeleteConsumer(ctx, stream, consumer)
		if err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
			return explain("consumer", err)
		}
	}
	// The limit on deliveries is ours and not the server's, so that the last
	// one ends in a row instead of in silence.
	s.cons, err = s.js.Consumer(ctx, stream, consumer)
	if errors.Is(err, jetstream.ErrConsumerNotFound) || err == nil && s.AckWait != 0 && s.AckWait != s.cons.CachedInfo().Config.AckWait {
		s.cons, err = s.js.CreateOrUpdateConsumer(ctx, stream, jetstream.ConsumerConfig{
			Durable: consumer, AckPolicy: jetstream.AckExplicitPolicy, AckWait: cmp.Or(s.AckWait, defaultAckWait), MaxDeliver: -1, MaxAckPending: 100_000,
		})
	}
	if err != nil {
		return explain("consumer", err)
	}
	s.AckWait = s.cons.CachedInfo().Config.AckWait
	return nil
}

// Close stops the embedded server, or leaves the remote one.
func (s *Store) Close() {
	if s.nc != nil {
		s.nc.Close()
	}
	if s.srv != nil {
		s.srv.Shutdown()
		s.srv.WaitForShutdown()
	}
	if s.lock != nil {
		_ = s.lock.Unlock() // the process ends soon, which unlocks as well
	}
}

// errCode tells an error of the server by its number.
func errCode(err error, code jetstream.ErrorCode) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) && api.ErrorCode == code
}

// Enqueue puts jobs on the queue that have no row yet and are not there
// already. It returns how many were new and how many have a row.
func (s *Store) Enqueue(ctx context.Context, jobs []*Job) (added, done int, err error) {
	type sent struct {
		job *Job
		ack jetstream.PubAckFuture
	}
	var window []sent
	flush := func() error {
		for _, w := range window {
			select {
			case <-w.ack.Ok():
				added++
			case err := <-w.ack.Err():
				if errCode(err, codeSubjectFull) || strings.Contains(err.Error(), "maximum messages per subject") {
					continue // it waits, or somebody works on it
				}
				return fmt.Errorf("putting %s on the queue: %w", w.job.Name, err)
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		window = window[:0]
		return nil
	}
	for _, j := range jobs {
		if _, err := s.rows.Get(ctx, j.ID); err == nil {
			done++
			continue
		} else if !errors.Is(err, jetstream.ErrKeyNotFound) {
			return added, done, err
		}
		data, err := json.Marshal(j)
		if err != nil {
			return added, done, err
		}
		ack, err := s.js.PublishMsgAsync(&nats.Msg{Subject: s.subject(j.ID), Data: data})
		if err != nil {
			return added, done, err
		}
		window = append(window, sent{j, ack})
		if len(window) == 100 {
			if err := flush(); err != nil {
				return added, done, err
			}
		}
	}
	return added, done, flush()
}

// codeSubjectFull is the server's number for a subject that holds as many
// messages as it may.
const codeSubjectFull = 10077

// Forget takes the row and the attempts of a job away, so that it can run
// again.
func (s *Store) Forget(ctx context.Context, j *Job) error {
	s.attempted(j.ID)
	for _, id := range []string{j.ID, commandMark(j)} {
		if err := s.marks.Purge(ctx, id); err != nil {
			return err
		}
	}
	return s.rows.Purge(ctx, j.ID)
}

// Row returns the row with an id, or nil.
func (s *Store) Row(ctx context.Context, id string) (*Row, error) {
	var e jetstream.KeyValueEntry
	err := persist(ctx, func() (err error) {
		e, err = s.rows.Get(ctx, id)
		return err
	})
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var r Row
	if err := json.Unmarshal(e.Value(), &r); err != nil {
		return nil, fmt.Errorf("row %s: %w", id, err)
	}
	return &r, nil
}

func (s *Store) putRow(ctx context.Context, r *Row) error {
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	const limit = 900 << 10 // a message holds 1 MiB
	if len(data) > limit {
		r.Findings = nil
		if r.Survey != nil {
			r.Survey.trim()
		}
		if data, err = json.Marshal(r); err != nil {
			return err
		}
	}
	return persist(ctx, func() error {
		_, err := s.rows.Put(ctx, r.ID, data)
		return err
	})
}

// patience is how long a worker holds on to a result while the server is
// away. It is longer than a restart; what a worker did is worth keeping.
const patience = 10 * time.Minute

// persist writes to the server, and again while it is away.
func persist(ctx context.Context, write func() error) error {
	for begin := time.Now(); ; {
		err := write()
		if err == nil || ctx.Err() != nil || time.Since(begin) > patience || !away(err) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(300 * time.Millisecond):
		}
	}
}

// away says whether an error is the server's absence.
func away(err error) bool {
	for _, e := range []error{
		nats.ErrTimeout, nats.ErrNoResponders, nats.ErrDisconnected, nats.ErrConnectionReconnecting, nats.ErrReconnectBufExceeded,
		context.DeadlineExceeded, jetstream.ErrNoStreamResponse, jetstream.ErrNoHeartbeat,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	var api *jetstream.APIError
	return errors.As(err, &api) && api.Code >= 500
}

// attempt counts an attempt at a job before it begins.
//
// The server counts deliveries, and attempts that were interrupted on purpose
// are taken off. The embedded queue forgets its deliveries when it starts, so
// that what a killed run had in hand is to be had at once; there, a file
// counts. It is not synced: a kill leaves it as it is, and after a power
// failure one attempt more is no harm.
func (s *Store) attempt(ctx context.Context, msg jetstream.Msg, id string) (int, error) {
	if s.srv != nil {
		n := 0
		data, err := os.ReadFile(s.attemptFile(id))
		if err == nil {
			_ = json.Unmarshal(data, &n) // cut off by a power failure, it counts from zero
		}
		n++
		return n, os.WriteFile(s.attemptFile(id), fmt.Append(nil, n), 0o600)
	}
	meta, err := msg.Metadata()
	if err != nil {
		return 0, err
	}
	n := int(meta.NumDelivered)
	if n == 1 {
		return n, nil
	}
	back, err := s.interrupted(ctx, id)
	return max(n-back, 1), err
}

func (s *Store) attemptFile(id string) string { return filepath.Join(s.State, "attempts", id) }

// interrupted is how many deliveries of a job ended by an interrupt.
func (s *Store) interrupted(ctx context.Context, id string) (n int, err error) {
	var e jetstream.KeyValueEntry
	err = persist(ctx, func() (err error) {
		e, err = s.marks.Get(ctx, id)
		return err
	})
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return n, json.Unmarshal(e.Value(), &n)
}

// unattempt takes an attempt back that was interrupted on purpose.
func (s *Store) unattempt(ctx context.Context, id string, n int) error {
	if s.srv != nil {
		return os.WriteFile(s.attemptFile(id), fmt.Append(nil, n-1), 0o600)
	}
	back, err := s.interrupted(ctx, id)
	if err == nil {
		_, err = s.marks.Put(ctx, id, fmt.Append(nil, back+1))
	}
	return err
}

// attempted ends the count for a job that has a row.
func (s *Store) attempted(id string) {
	if s.srv != nil {
		os.Remove(s.attemptFile(id)) // what stays counts for nothing
	}
}

// commandMark is the key, among the marks, that says that the command of a
// job has begun.
func commandMark(j *Job) string { return "command-" + j.ID }

// File opens an object of the store.
func (s *Store) File(ctx context.Context, name string) (io.ReadCloser, error) {
	var o jetstream.ObjectResult
	err := persist(ctx, func() (err error) {
		o, err = s.files.Get(ctx, name)
		return err
	})
	return o, err
}

func (s *Store) putFile(ctx context.Context, name, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	return persist(ctx, func() error {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		_, err = s.files.Put(ctx, jetstream.ObjectMeta{Name: name}, f)
		return err
	})
}

// Objects of a batch.
const objectRoster = "roster"

// PutRoster remembers the jobs of a run: reports are about these.
func (s *Store) PutRoster(ctx context.Context, jobs []*Job) error {
	r, w := io.Pipe()
	go func() {
		enc := json.NewEncoder(w)
		for _, j := range jobs {
			if err := enc.Encode(j); err != nil {
				break // the reader is gone
			}
		}
		w.Close()
	}()
	_, err := s.files.Put(ctx, jetstream.ObjectMeta{Name: objectRoster}, r)
	r.Close()
	return err
}

// Roster returns the jobs of the last run.
func (s *Store) Roster(ctx context.Context) ([]*Job, error) {
	o, err := s.files.Get(ctx, objectRoster)
	if errors.Is(err, jetstream.ErrObjectNotFound) {
		return nil, fmt.Errorf("nothing was run here yet; begin with 'etcdshift batch run LIST'")
	}
	if err != nil {
		return nil, err
	}
	defer o.Close()
	var jobs []*Job
	for dec := json.NewDecoder(o); ; {
		var j Job
		if err := dec.Decode(&j); err == io.EOF {
			return jobs, nil
		} else if err != nil {
			return nil, fmt.Errorf("roster: %w", err)
		}
		jobs = append(jobs, &j)
	}
}

// Pending returns how many jobs wait or are being worked on.
func (s *Store) Pending(ctx context.Context) (waiting, running int, err error) {
	i, err := s.cons.Info(ctx)
	if err != nil {
		return 0, 0, err
	}
	return int(i.NumPending), i.NumAckPending, nil
}

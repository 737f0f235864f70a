package config

// ScalingStep is how many instances are added when a threshold is passed by so much.
type ScalingStep struct {
	// By how many percent of itself the threshold is passed.
	OverPercent float64 `yaml:"over_percent" range:"0..10000"`
	// Instances that are added.
	Add int `yaml:"add" range:"0..10000"`
	// Instances that are added, in percent of those that are ready. The larger of the two counts.
	AddPercent float64 `yaml:"add_percent" range:"0..10000"`
}

// ScalingTarget keeps a signal at a value. `NAME: 8` is short for `NAME: {value: 8}`.
type ScalingTarget struct {
	// The value.
	Value float64 `yaml:"value" range:"0..1000000000000" required:"true" short:"true"`
	// What the value is: `mean` is that of one instance, `total` the part of a sum that one instance may have, `ratio` one number for all that gets smaller as instances are added. `auto` is what fits the signal.
	Kind string `yaml:"kind" default:"auto" enum:"auto|mean|total|ratio"`
}

// ScalingCapacity asks for as many instances as make waiting rare (Erlang C).
// Small functions get more room by it than large ones.
type ScalingCapacity struct {
	// Requests an instance works on at once without slowing down.
	Concurrency int `yaml:"concurrency" range:"1..10000" required:"true"`
	// How long an instance takes for a request when it has nothing else to do. 0: measured, in the quieter quarter of the last hour.
	ServiceTime Duration `yaml:"service_time" range:"0..1h"`
	// Wait that nobody minds.
	Wait Duration `yaml:"wait" range:"0..1h"`
	// Share of requests that may wait longer.
	WaitingPercent float64 `yaml:"waiting_percent" default:"5" range:"0.0001..99"`
	// (Ca² + Cs²) / 2, of the times between requests and of their duration: 1 for purely random ones, more for bursts.
	Variation float64 `yaml:"variation" default:"1" range:"0.01..1000"`
}

// ScalingPanic reacts to a few seconds of far too much work. It needs a target
// for in_flight, or capacity, to know what an instance can have.
type ScalingPanic struct {
	// Never panic.
	Disabled bool `yaml:"disabled"`
	// How many times more instances than are ready must be needed.
	Factor float64 `yaml:"factor" default:"2" range:"1.1..100"`
	// How long it lasts after the last time that was so. Nothing is removed meanwhile, and `cooldown_period` and `up.hold` do not bind.
	For Duration `yaml:"for" default:"60s" range:"1s..1h"`
	// Time in which a queue shall be worked off.
	Drain Duration `yaml:"drain" default:"10s" range:"1s..1h"`
}

// ScalingPace slows changes of one direction.
type ScalingPace struct {
	// How long a wish must have lasted: the most careful one of that time counts. For `down` by default `cooldown_period`, or 5m where that is 0 because of targets or capacity; none where `idle_time_minutes` counts.
	Hold Duration `yaml:"hold" range:"0..24h"`
	// How many instances may come or go in a time; the rate that allows most counts. By default 4 or 100 % in 15s up, and `scale_down_threshold.remove` in 1s down.
	Rates []ScalingRate `yaml:"rates" max:"16"`
	// Of several rates the one that allows least counts.
	Careful bool `yaml:"careful"`
	// Nothing is changed in this direction.
	Never bool `yaml:"never"`
}

// ScalingRate is a number of instances in a time, at least one.
type ScalingRate struct {
	// Instances.
	Instances int `yaml:"instances" range:"0..10000"`
	// Instances in percent of those there were. The larger of the two counts.
	Percent float64 `yaml:"percent" range:"0..10000"`
	// The time.
	Per Duration `yaml:"per" range:"1s..1h" required:"true"`
}

// ScalingSchedule moves the bounds while its window is open.
type ScalingSchedule struct {
	// When it opens: minute, hour, day of the month, month, day of the week, as in cron: `0 8 * * mon-fri`.
	Cron string `yaml:"cron" format:"nonempty" required:"true"`
	// Time zone of `cron`: `Europe/Berlin`.
	Zone string `yaml:"zone" default:"UTC" format:"zone"`
	// How long it stays open.
	Duration Duration `yaml:"duration" range:"1m..744h" required:"true"`
	// Instances at least, meanwhile. Of several open windows the largest counts. 0: as ever.
	MinInstances int `yaml:"min_instances" range:"0..10000"`
	// Instances at most, meanwhile, within `max_instances`. 0: as ever.
	MaxInstances int `yaml:"max_instances" range:"0..10000"`
}

// ScalingBudget caps what instances cost in a calendar hour and month, UTC.
// What `min_instances` cost is kept back from it.
type ScalingBudget struct {
	// Cap for an hour. 0: none.
	PerHour float64 `yaml:"per_hour" range:"0..1000000000"`
	// Cap for a month. 0: none.
	PerMonth float64 `yaml:"per_month" range:"0..1000000000"`
	// What an instance costs in an hour, in the money of the caps. 0: the caps are instance-hours.
	Price float64 `yaml:"price" range:"0..1000000"`
	// At the cap: `hold` adds nothing more, `shrink` also removes what it does not allow, `warn` only says so.
	AtCap string `yaml:"at_cap" default:"hold" enum:"hold|shrink|warn"`
}

// ScalingGuards say for how long what looks like load is not.
type ScalingGuards struct {
	// How long a new version is to blame for its errors.
	VersionIsNew Duration `yaml:"version_is_new" default:"10m" range:"1s..24h"`
	// How long added instances may take to show an effect, once they are ready.
	Settle Duration `yaml:"settle" default:"60s" range:"1s..1h"`
	// After how long without an effect more instances are tried again.
	TryAgain Duration `yaml:"try_again" default:"15m" range:"1s..24h"`
}

// ScalingMode is what becomes of decisions. `mode: advisory` is short for
// `mode: {kind: advisory}`.
type ScalingMode struct {
	// The mode.
	Kind string `yaml:"kind" default:"on" enum:"on|up-only|advisory|paused|pinned" short:"true"`
	// When `on` comes back by itself: `2026-12-01T06:00:00Z`. Empty: never; `paused` needs it.
	Until string `yaml:"until" format:"time"`
	// Instances of `pinned`.
	At int `yaml:"at" range:"0..10000"`
}

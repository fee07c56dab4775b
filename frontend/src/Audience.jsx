// Below the builder: what the conditions say in words, how many they hold for, and ten of them.

export function Audience({ state, isAboutProfiles, isEmpty }) {
    const { answer, isAsking, error } = state;
    const audience = answer?.audience;
    const problems = answer?.problems ?? [];
    return (
        <section class="builder-audience" data-audience aria-busy={isAsking}>
            {isAboutProfiles && (
                <p class="builder-count" role="status" aria-live="polite">
                    {audience && problems.length === 0 ? (
                        <>
                            <strong data-count={audience.count}>{audience.text}</strong>{" "}
                            {audience.count === 1 ? "profile" : "profiles"} now
                            {!audience.isExact && (
                                <span class="builder-quiet"> – estimated from a sample; counting all takes longer</span>
                            )}
                        </>
                    ) : (
                        <span class="builder-quiet">
                            {problems.length ? "Complete the conditions to see how many they hold for." : "Counting …"}
                        </span>
                    )}
                </p>
            )}
            {error && <p class="conditions-problem">{error}</p>}
            {answer?.sentence && !isEmpty && (
                <p class="builder-sentence" data-sentence>
                    {answer.sentence}
                </p>
            )}
            {audience?.profiles?.length > 0 && problems.length === 0 && !isEmpty && <Profiles profiles={audience.profiles} />}
        </section>
    );
}

function Profiles({ profiles }) {
    return (
        <div class="builder-scroll">
            <table class="builder-table builder-profiles">
                <caption>The last seen, ten at most</caption>
                <thead>
                    <tr>
                        <th scope="col">Profile</th>
                        <th scope="col">Stage</th>
                        <th scope="col">Intent score</th>
                        <th scope="col">Last seen</th>
                    </tr>
                </thead>
                <tbody>
                    {profiles.map((profile) => (
                        <tr key={profile.url}>
                            <th scope="row">
                                <a href={profile.url}>{profile.name}</a>
                            </th>
                            <td>{profile.stage}</td>
                            <td>{profile.score}</td>
                            <td>{profile.lastSeen}</td>
                        </tr>
                    ))}
                </tbody>
            </table>
        </div>
    );
}
